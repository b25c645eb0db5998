// Package authcert reads and writes key certificates of directory authorities. With one, an authority's long-term
// identity key, which is kept offline, certifies the signing key that signs votes and consensuses for some months.
//
// https://spec.torproject.org/dir-spec/creating-key-certificates.html
package authcert

import "errors"

// Errors of this package, beside those of packages netdoc and rsakey.
var (
	ErrTooLong     = errors.New("certificate is too long")
	ErrVersion     = errors.New("unknown certificate version")
	ErrFingerprint = errors.New("fingerprint is not that of the identity key")
)
