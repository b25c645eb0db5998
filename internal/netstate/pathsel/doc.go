// Package pathsel chooses the relays of a path: the exit by what it is needed for, then the middle, each by bandwidth and
// apart from the others by family and network. The first hop is for package guard to choose, among the relays that
// [Selector.EntryOK] and [Selector.GuardOK] let through.
//
// https://spec.torproject.org/path-spec/path-selection-constraints.html
package pathsel
