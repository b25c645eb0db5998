// Package history remembers how reliable relays are, as a directory authority sees them: what it measures decides on the
// flags Stable and Guard.
//
// Of each relay it knows three figures, in all of which the past counts for less and less, by 5% every 12 hours:
//
//   - mean time between failures (MTBF): how long its runs last;
//   - weighted fractional uptime (WFU): the share of time in which it ran;
//   - weighted time known: how long it has been watched.
//
// A [History] computes and remembers; it neither waits nor locks nor writes. Its memory is C tor's file "router-stability",
// and its arithmetic that of rephist.c, whole seconds and all, so that one can change programs without losing what was
// measured.
//
// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
package history
