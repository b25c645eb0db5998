// Package publish keeps the relay in the network: it finds out the relay's addresses, tests whether they can be reached,
// makes the descriptor anew when something in it has changed, and gives it to the directory authorities.
//
//	address ──► reachable? ──► descriptor ──► each authority, until it has taken it
//	            (tests)        (keys, policy, bandwidth, …)
//
// One goroutine owns all of that ([Publisher.Run]); others tell it what has changed, or that it should look. What is due
// when is decided by values without a clock: family (self-tests), bandwidthTest, schedule (descriptors), upload. What the
// descriptor says is compared with what is true every minute, so that nobody has to remember to tell.
//
// # Differences from C tor
//
//   - The descriptor has those addresses that were found reachable. C tor does not publish at all while an IPv6 address that
//     the operator has set is not among them.
//   - Each authority gets the descriptor until it has answered. C tor waits for the next descriptor.
//   - An IPv4 address that cannot be found any more, such as one whose name does not resolve, stays until there is another.
//   - Hibernation and a first overload are told at once.
//
// https://spec.torproject.org/dir-spec/uploading-relay-documents.html
package publish
