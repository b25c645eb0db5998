// Package ntor is the ntor handshake, CREATE2 type 2: the client learns keys that only the owner of an onion key can
// know, and the relay learns nothing of the client.
//
//	client                                         relay
//	ClientStart   ── id 20 | B 32 | X 32 ──►
//	              ◄── Y 32 | auth 32 ──────    ServerReply
//	Finish
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#ntor
package ntor

import "errors"

// Lengths of the messages, in bytes.
const (
	ClientLen = 84
	ServerLen = 64
)

// What can be wrong with the message of the other side.
var (
	ErrLength     = errors.New("wrong length")
	ErrOtherRelay = errors.New("meant for another relay")
	ErrUnknownKey = errors.New("made for an onion key that is not ours")
	ErrWeakKey    = errors.New("key of low order")
	ErrAuth       = errors.New("wrong authentication code")
)
