// Package vanguard keeps the second hops of circuits to and from onion services for a while, as guards are kept: who makes a
// service, or a client, build many circuits learns few relays next to its guard. It is the lite form, which is for everybody.
//
// https://spec.torproject.org/vanguards-spec/
package vanguard
