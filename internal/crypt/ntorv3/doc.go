// Package ntorv3 is the third version of the ntor handshake, CREATE2 type 3. It does what ntor does and carries a
// message in either direction, encrypted; for circuits these are lists of extensions.
//
//	client                                                      relay
//	ClientStart   ── id 32 | B 32 | X 32 | message | mac 32 ──►  ServerOpen
//	              ◄── Y 32 | auth 32 | message ────────────────  Server.Reply
//	Client.Finish
//
// The client's message has no forward secrecy: who gets hold of the onion key later can read it.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#ntor-v3
package ntorv3

import "errors"

// Circuit is the verification string of the handshakes that make circuits. Both sides must use the same string, so that
// the messages of one protocol are worth nothing in another.
const Circuit = "circuit extend"

// Lengths that the handshake adds to a message, in bytes.
const (
	ClientOverhead = 128
	ServerOverhead = 64
)

// What can be wrong with the message of the other side.
var (
	ErrTruncated  = errors.New("truncated")
	ErrOtherRelay = errors.New("meant for another relay")
	ErrUnknownKey = errors.New("made for an onion key that is not ours")
	ErrWeakKey    = errors.New("key of low order")
	ErrAuth       = errors.New("wrong authentication code")
)
