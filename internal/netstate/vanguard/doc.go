// Package vanguard keeps the second hops of circuits to and from onion services for a while, as guards are kept, and in its full
// form the third ones as well: who makes a service, or a client, build many circuits learns few relays next to its guard.
//
// The lite form is for everybody, and forgets its relays when the program ends, as C tor's does. The full form is for services
// that are worth a long attack; its relays stay over restarts.
//
//	lite   guard ── layer 2 ── any ──────────────── end
//	full   guard ── layer 2 ── layer 3 ── any ───── end of somebody else's choice, or rendezvous point instead of any
//	       guard ── layer 2 ── layer 3 ──────────── end of our own choice
//
// https://spec.torproject.org/vanguards-spec/
package vanguard
