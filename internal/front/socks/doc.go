// Package socks is the door for applications that speak SOCKS: SocksPort.
//
// A [Server] takes connections from a listener, reads what each asks for, has a [Connector] open a stream or look up a
// name, answers, and then carries data both ways. What the application sends before the answer goes out with the
// stream's first message (optimistic data), which saves a round trip through Tor.
//
//	accept → handshake → Dial → reply → splice → closed
//	                   → Resolve, ResolvePTR → reply → closed
//
// https://spec.torproject.org/socks-extensions.html
package socks
