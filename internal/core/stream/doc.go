// Package stream multiplexes TCP streams over a tunnel of circuits.
//
// A [Mux] belongs to a tunnel and is guarded by its mutex; methods that end in Locked expect it held. It gives out stream
// IDs, routes what arrives to its [Stream], and refuses what no stream can have asked for. A Stream is a net.Conn: the
// circuit's reader appends to its buffer, its user's goroutines take from there and package what they write. Nothing
// here has a goroutine of its own.
//
// https://spec.torproject.org/tor-spec/streams.html
package stream
