// Package publish keeps the relay in the network: it finds out the relay's addresses, tests whether they can be reached,
// makes the descriptor anew when something in it has changed, and gives it to the directory authorities.
//
//	address ──► reachable? ──► descriptor ──► each authority, until it has taken it
//	            (tests)        (keys, policy, bandwidth, …)
//
// One goroutine owns all of that; others tell it what has changed.
//
// https://spec.torproject.org/dir-spec/uploading-relay-documents.html
package publish
