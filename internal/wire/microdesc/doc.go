// Package microdesc reads and writes microdescriptors: what clients need to know of a relay beside the consensus, which
// names each by its SHA-256 digest.
//
// A client holds thousands of them, so a [Microdesc] keeps nothing of the text alive, and an [Interner] shares what many
// relays have in common.
//
// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
package microdesc

import "errors"

// Errors of this package, beside those of packages netdoc and rsakey.
var (
	ErrTooLong = errors.New("microdescriptor is too long")
	ErrStart   = errors.New("microdescriptor does not begin with onion-key")
	ErrMethod  = errors.New("consensus method is not supported")
)
