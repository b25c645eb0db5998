// Package dirauth is a directory authority: what it thinks of relays becomes a vote, and the votes of all authorities become
// the consensus.
//
//	uploads ──admit──► descriptors ─┐
//	links ──reachability──► history ├─flags──► own vote ──► round ──tally──► consensus ──► the node's directory
//	bandwidth file, torrc ──────────┘            ▲            │ ▲
//	                                    srv ─────┘     others' votes and signatures
//
// [Authority.Run] is the goroutine that follows the schedule. Uploads and requests of others come by [Authority.Hook], from any
// goroutine; what they bring is kept in the round, under a mutex.
//
// https://spec.torproject.org/dir-spec/
package dirauth
