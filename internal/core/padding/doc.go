// Package padding has the state machines that make the circuits of onion services' clients look like others while they are set
// up. There are two pairs, each with an end at the client and one at the second relay of the circuit:
//
//	introduction   INTRODUCE1 PADDING_NEGOTIATE → ← PADDING_NEGOTIATED, then DROP after DROP, as if a page came, and STOP
//	rendezvous     PADDING_NEGOTIATE DROP → ← PADDING_NEGOTIATED DROP, as a request and the begin of its answer
//
// C tor has a framework of histograms and distributions for machines that nobody has written; what its two machines do is
// here as a table. Nothing here waits or sends: the caller does.
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
package padding
