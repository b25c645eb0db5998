// Package dirhttp is the subset of HTTP/1.0 that directory clients and servers speak, over a DirPort or in a stream
// opened with BEGIN_DIR: one request, one response, then the connection closes.
//
// The package reads and writes heads and paths. Bodies are the caller's: it feeds what it has read to a [HeadFinder]
// until that returns the head, parses it, and streams the rest.
//
// https://spec.torproject.org/dir-spec/standards-compliance.html
package dirhttp

import "errors"

// Errors of this package. All parsers wrap one of them.
var (
	ErrSyntax  = errors.New("malformed HTTP")
	ErrTooLong = errors.New("HTTP head is too long")
	ErrUnsafe  = errors.New("text would break out of its line")
	ErrList    = errors.New("empty or too long list of digests")
)
