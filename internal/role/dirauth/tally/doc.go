// Package tally computes the consensus: votes in, the text of both flavors out, byte for byte what C tor 0.4.9.11 makes of
// the same votes (networkstatus_compute_consensus). If authorities computed different texts, none of them would get
// enough signatures.
//
//	votes ──Compute──► Result ──Pending──► Sign, Add (detached signatures) ──► the signed consensus
//
// It also makes the microdescriptors that an authority's vote lists. It decides nothing about relays: that is what the
// votes say.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
package tally
