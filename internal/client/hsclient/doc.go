// Package hsclient connects to onion services: it finds their descriptors, introduces itself, and meets them.
//
//	directory ──► descriptor ──► introduction point ── INTRODUCE1 ──► service
//	                             rendezvous point  ◄── RENDEZVOUS1 ──┘
//
// A [Client] keeps descriptors, remembers which introduction points have failed, and holds the circuits on which it has met
// services: streams to one service that may share a circuit do. Each circuit, from the first search for a descriptor to its
// end, has a goroutine of its own.
//
// https://spec.torproject.org/rend-spec/
package hsclient
