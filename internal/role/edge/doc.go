// Package edge is where the streams of clients leave Tor: it carries their bytes to a socket and back, for exits and for onion
// services.
//
// https://spec.torproject.org/tor-spec/closing-streams.html
package edge
