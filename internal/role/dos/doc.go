// Package dos keeps one address, or one circuit, from taking a public relay's time away from the others. It has the
// defences of C tor's src/core/or/dos.c; a bridge, which knows few clients and hides behind transports, has none.
//
//	what                      detected                           answer
//	connections of an address too many at a time                 new ones are closed
//	                          too many in a short time           new ones are closed for a day or more
//	circuits of an address    too many in a short time, while    CREATE is answered by DESTROY for an hour or more
//	                          it has some connections
//	                          too many of its circuits closed    as above
//	                          because their queue was full
//	streams of a circuit      too many in a short time           the stream is refused, or the circuit closed
//	clients that rendezvous   with us as their only hop          their request is dropped
//
// Everything is switched on, and measured, by the consensus unless the torrc says otherwise.
//
// Connections count from the moment they are accepted, so that half-open ones do, and they count whoever is behind them:
// the addresses of relays are no exception, since exits do not connect to relays any more (C tor bug 40821). Circuits count
// only on links that others have made and on which nobody proved to be a relay. Addresses are taken whole: each IPv6 address
// stands for itself, as in C tor.
//
// # Memory
//
// What is known of an address is kept while it has connections or is marked, and for an hour beyond. Addresses are cheap
// in IPv6, so the table is bounded ([Config.MaxAddrs]). When it is full, an address without connections is forgotten for a
// new one, an unmarked one if there is any near; if there is none, the new address is let in without being counted. So
// whoever floods the table escapes from his own marks, which he could by his many addresses anyway; to refuse
// unknown addresses instead would let him shut out everybody.
package dos
