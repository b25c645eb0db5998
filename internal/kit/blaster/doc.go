// Package blaster loads a relay with as many cells as it can carry, and with next to no work of its own, so that the relay
// is what is measured even where both share two cores.
//
//	source ──── link ────► relay under test ──── link ────► sink
//
// The source is a client: it makes circuits through the relay to a sink, which is a relay of ours. Then it lets TLS encrypt
// all that it will send and keeps that in memory, and only then the clock starts: what is kept is written to the sockets,
// as fast as the sinks receive. These throw the bytes away in the kernel, without decrypting them. So source and sink cost
// a fraction of what the relay costs for the same bytes.
//
// It measures C tor and Tropea alike.
package blaster
