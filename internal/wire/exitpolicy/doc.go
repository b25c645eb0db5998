// Package exitpolicy holds the rules by which an exit relay accepts or refuses destinations.
//
// There are two forms. A [Policy] is the full list of rules that a relay enforces and writes into its router descriptor:
// ordered, first match wins, addresses and ports. A [Summary] is the list of ports that authorities compute from it for
// microdescriptors and consensuses, and by which clients choose exits.
//
//	torrc lines      ──ParseList──────►  Policy  ──Summarize──►  Summary  ◄──ParseSummary──  "accept 80,443"
//	descriptor lines ──ParseRule──────►          ──Judge──────►  Verdict
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html
package exitpolicy

import "errors"

// Errors of this package. All parsers wrap one of them.
var (
	ErrSyntax  = errors.New("malformed policy")
	ErrPort    = errors.New("bad port range")
	ErrAddress = errors.New("bad address pattern")
	ErrFamily  = errors.New("keyword does not fit the address family")
	ErrTooLong = errors.New("policy is too long")
)
