// Package guard keeps the relays that are our first hops. Whoever runs some first and last hops sees some paths whole; who
// draws both anew for each circuit meets such a pair sooner or later, and who stays with few guards probably never does.
//
//	all guards ──by weight──► sample (some 20) ──first success──► confirmed
//	                             └──────the first 3, confirmed ones first──────► primary ──the first that is up──► used
//
// The sample grows when too few of it can be used, and each guard leaves it after some months, or when the network has
// not listed it for long. A guard that fails is tried again after a while; a primary one soon, so that we come back to
// it. A circuit whose exit a primary guard does not suit takes another primary one, and makes nothing grow.
//
// A [Set] computes and keeps no time: it is told now, and whoever owns it saves it. It is not safe for concurrent use.
//
// https://spec.torproject.org/guard-spec/
package guard
