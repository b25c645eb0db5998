// Package dirsig makes and checks the signatures of directory documents, and the RSA keys that they are made with.
//
// Two kinds are in use. RSA signatures are older: the padding of PKCS #1 v1.5 around a bare digest, without the name of
// the hash that the standard wants there. Router descriptors and extra-info documents have an Ed25519 signature too.
//
// https://spec.torproject.org/dir-spec/netdoc.html
package dirsig

import "errors"

// What can be wrong with a key or a signature.
var (
	ErrKey       = errors.New("malformed RSA key")
	ErrKeySize   = errors.New("RSA key of a size that is not allowed")
	ErrExponent  = errors.New("RSA exponent is not 65537")
	ErrDigest    = errors.New("digest of no known hash")
	ErrSignature = errors.New("wrong signature")
)
