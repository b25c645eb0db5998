// Package srstate knows the text forms of shared randomness: the commits of authorities, which are the same in votes and
// on disk, and C tor's file "sr-state", in which an authority keeps what it knows of the protocol run.
//
//	Commit 1 sha3-256 FINGERPRINT COMMIT [REVEAL]
//	SharedRandPreviousValue REVEALS VALUE
//	SharedRandCurrentValue REVEALS VALUE
//	TorVersion 0.4.9.11
//	ValidAfter 2026-11-26 23:18:50
//	ValidUntil 2026-11-26 23:20:00
//	Version 1
//
// The file holds the reveal of the authority itself from the moment it commits: losing it is losing the run.
//
// https://spec.torproject.org/srv-spec/
package srstate
