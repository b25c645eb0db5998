// Package routerdesc reads and writes router descriptors, in which relays describe themselves to authorities, and through
// caches and bridges to others.
//
// Every key in a descriptor vouches for the others:
//
//	RSA identity ──router-signature──► the whole text
//	Ed25519 identity ──identity-ed25519──► signing key ──router-sig-ed25519──► the whole text
//	ntor onion key ──ntor-onion-key-crosscert──► Ed25519 identity
//	TAP onion key ──onion-key-crosscert──► both identities
//	family keys ──family-cert──► Ed25519 identity
//
// [Parse] checks all of that. Whether certificates have expired is for the caller to say.
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html
package routerdesc

import "errors"

// Errors of this package, beside those of packages netdoc, torcert, rsakey and exitpolicy.
var (
	ErrTooLong   = errors.New("router descriptor is too long")
	ErrObsolete  = errors.New("no proto line: relay is of a version long gone") // C tor drops these quietly
	ErrNickname  = errors.New("illegal nickname")
	ErrAddress   = errors.New("unusable address or port")
	ErrPosition  = errors.New("item at the wrong place")
	ErrMismatch  = errors.New("keys or digests contradict each other")
	ErrNoPolicy  = errors.New("no exit policy")
	ErrOnionKey  = errors.New("only one of onion-key and onion-key-crosscert")
	ErrSignature = errors.New("wrong Ed25519 signature")
)

// ErrRouterSignature says that all is right but the RSA signature. It is the one part that the digest of a descriptor
// does not cover, so another copy with the same digest may be good.
var ErrRouterSignature = errors.New("router-signature")
