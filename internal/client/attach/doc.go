// Package attach takes what applications ask for, a stream to a host and port or a look-up of a name, and gets it
// through a circuit: it refuses what must not leave, chooses or waits for a circuit that may share, opens the stream,
// and tries another circuit when the fault may lie with the exit.
//
// https://spec.torproject.org/path-spec/attaching-streams.html
package attach
