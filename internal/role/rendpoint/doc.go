// Package rendpoint makes a relay a rendezvous point: it keeps the circuits of clients that wait for an onion service, and
// joins them with those of the services that come. What is joined, package circuit moves.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
package rendpoint
