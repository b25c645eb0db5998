// Package consdiff applies and makes consensus diffs: scripts for a small part of the editor ed that turn one consensus
// into a later one.
//
// The base is named by the digest of its signed part, since caches may hold it with different signatures; the target by
// the digest of all its bytes.
//
// https://spec.torproject.org/dir-spec/directory-cache-operation.html
// https://spec.torproject.org/proposals/140-consensus-diffs.html
package consdiff

import "errors"

// What can be wrong with a diff.
var (
	ErrSyntax = errors.New("malformed consensus diff")
	ErrOrder  = errors.New("not in order") // commands of a diff, or entries of a consensus
	ErrBase   = errors.New("diff is for another base")
	ErrTarget = errors.New("diff does not lead to its target")
	ErrNoDiff = errors.New("no diff can express the change")
)
