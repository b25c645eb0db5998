// Package vote reads, checks, writes and signs votes: the network status documents in which each directory authority tells
// its opinion of the network, and out of which all of them compute the same consensus.
//
// [Parse] is as strict as C tor, since authorities that disagree on which votes are good make different consensuses
// (networkstatus_parse_vote_from_string). [Vote.Sign] writes what C tor 0.4.9.11 writes.
//
// https://spec.torproject.org/dir-spec/vote-formats.html
package vote
