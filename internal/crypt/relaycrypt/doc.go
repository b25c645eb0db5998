// Package relaycrypt encrypts and recognises relay cells, hop by hop.
//
// A cell that a client sends to hop n gets the proof of hop n put in and is encrypted in the layers n to 0, hop 0 being
// the first relay; each relay takes one layer off and looks whether the cell is for it. On the way back each relay adds
// a layer, and the client takes them off until a hop is recognised as the sender.
//
//	            client                    relay
//	forward     Outbound.Seal    ──►      Relay.Forward
//	backward    Inbound.Open     ◄──      Relay.Originate, Relay.Backward
//
// Cells are worked on in place, without allocation. No type here is safe for concurrent use, but the two directions of a
// circuit share nothing: [Outbound] and [Inbound], and in [Relay] Forward and the other two, may run at the same time.
//
// https://spec.torproject.org/tor-spec/routing-relay-cells.html
package relaycrypt

import "errors"

// ErrKeyLength says that there is more or less key material than the algorithm takes.
var ErrKeyLength = errors.New("wrong length of key material")
