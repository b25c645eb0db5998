// Package netdir is what we believe of the network: a consensus, and the microdescriptors of the relays that it lists.
//
// A [View] does not change once it is made, so any number of goroutines may use it. When microdescriptors arrive,
// [View.With] makes the next one, which shares with the old one each [Relay] that has not changed. Relays stay good after
// their view is gone: a circuit may hold on to those of its path without holding the whole directory.
//
// A view also knows how much of the traffic a relay should get in each position of a path; package pathsel and package
// guard choose by that.
//
// https://spec.torproject.org/dir-spec/
// https://spec.torproject.org/path-spec/
package netdir
