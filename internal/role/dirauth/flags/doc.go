// Package flags decides which flags a directory authority votes for.
//
//	vote := flags.Decide(cfg, relays, hist, now)
//	vote.Thresholds.String() // the line flag-thresholds
//	vote.Relays[i].Flags     // of relays[i]
//
// Most flags compare a relay with the rest of the network, so that the thresholds come first: the median uptime for Stable, the
// bandwidth that seven relays of eight have for Fast, and so on. All arithmetic is C tor's (voteflags.c, and the Sybil rule of dirvote.c):
// whole kilobytes and seconds, truncated where it truncates.
//
// It computes on what it is given, and notes in the history which relays are down. [Relay] is what the caller knows of a
// relay: its descriptor, measurements, tests of reachability, and the lists of its operator.
//
// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
package flags
