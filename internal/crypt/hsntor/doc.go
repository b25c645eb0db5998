// Package hsntor is the handshake of a client and an onion service. It has two halves, which go by way of two relays.
//
//	client                                              service
//	NewClient
//	Introduce ── INTRODUCE1 ──► introduction point ──►  Point.Open
//	Finish    ◄── RENDEZVOUS2 ── rendezvous point ◄──   Request.Reply
//
// What an introduction says, package relaymsg knows. Both ends get keys for a hop of relay encryption out of it.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
package hsntor

import "errors"

// What can be wrong with the message of the other side. An introduction also has the errors of package relaymsg.
var (
	ErrOtherPoint = errors.New("meant for another introduction point")
	ErrTruncated  = errors.New("encrypted part of an introduction is too short")
	ErrWeakKey    = errors.New("key of low order")
	ErrAuth       = errors.New("wrong authentication code")
)

// What can be wrong on our own side.
var (
	ErrNoCookie = errors.New("rendezvous cookie is not set")
	ErrUsed     = errors.New("handshake has ended")
)
