// Package circuit moves relay cells: it holds the circuits of each link, encrypts and decrypts them, keeps their windows,
// and hands what they carry to the streams of their tunnel.
//
// A [Table] takes the batches that a link's reader brings and routes them to a [Half], one direction of a circuit with
// the mutex that makes the order of encryption the order on the wire. A [Circuit] is one that began here: an owner
// goroutine builds it hop by hop with [Create] and [Circuit.Extend], and after that data bypasses every owner. A
// [Tunnel] is what streams belong to: one circuit now, several legs once conflux is there.
//
// Lock order: tunnel.mu → send Half → receive Half → the link's out queue. No receive Half is held when tunnel.mu is
// taken. Of two [RelayCircuit]s that are joined, the forward half of one comes before the backward half of the other. The
// table's mutex is a leaf.
//
// https://spec.torproject.org/tor-spec/relay-cells.html
package circuit
