// Package socksmsg reads and writes the messages of SOCKS 4, 4a and 5, with Tor's extensions: name lookups (RESOLVE,
// RESOLVE_PTR), user names and passwords as marks of isolation, and reply codes about onion services.
//
// [Server] and [Client] are the two sides of the handshake as state machines over bytes: they take what has arrived, and
// say how much of it they used and what to send. They do no I/O.
//
// The formats come from https://www.openssh.com/txt/socks4.protocol, https://www.openssh.com/txt/socks4a.protocol,
// https://www.rfc-editor.org/rfc/rfc1928 and https://www.rfc-editor.org/rfc/rfc1929, and Tor's additions from
// https://spec.torproject.org/socks-extensions.html.
package socksmsg
