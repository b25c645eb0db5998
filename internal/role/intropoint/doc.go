// Package intropoint makes a relay an introduction point of onion services: it keeps the circuits by which services wait,
// and passes on to them what clients say, no more often than service or consensus allow.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
package intropoint
