// Package fakepeer is a relay under a test's command.
//
// A [Relay] speaks the responder's side of the link protocol, answers CREATE_FAST, CREATE2 and EXTEND2, plays all further
// hops of a circuit itself with the keys of each, and serves streams by scripted handlers. It is built of the lib, wire
// and crypt storeys alone, so that the tests of core can use it, and it keeps its own count of windows and tags: what it
// says about the program under test does not rest on that program's code.
//
// An honest Relay judges its client. Whatever the client does that a relay could not have asked for, or that would tell
// clients apart, is reported through testing.TB: see [Relay.Violations]. A dishonest Relay is made with [Hooks], which
// change, drop and add cells and messages at any point, and with the Send methods of [Conn] and [Circuit].
//
// It works over real sockets and over package memnet, where time may be virtual.
package fakepeer
