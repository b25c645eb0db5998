// Package consensus reads, checks and writes the network status consensus, in the ns and the microdesc flavor.
//
// [Parse] reads a document and computes its digests; [Consensus.Verify] counts the signatures; [Consensus.AppendBody] and
// [Consensus.AppendSignatures] write what C tor's authorities write from consensus method 32 on, byte for byte.
//
// A consensus of nine thousand relays is parsed once an hour and kept as long: a [RouterStatus] has a fixed size, and
// equal texts share memory.
//
// https://spec.torproject.org/dir-spec/consensus-formats.html
package consensus
