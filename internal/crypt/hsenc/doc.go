// Package hsenc encrypts and decrypts the layers of onion service descriptors, whose texts package hsdesc knows.
//
//	outer ── by blinded key and subcredential ──► middle ── by these and, if clients must be authorized, a cookie ──► inner
//
// A service makes an [Auth] for each of its descriptors, once, and with it seals one version after the other.
//
// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html
package hsenc

import "errors"

// What can be wrong with a descriptor, beside the errors of package hsdesc.
var (
	ErrLayer      = errors.New("cannot be decrypted")                          // the superencrypted layer: not of this service
	ErrNeedClient = errors.New("needs the key of an authorized client")        // and there is none
	ErrBadClient  = errors.New("does not authorize the key of this client")    // or is damaged
	ErrEmpty      = errors.New("layer of a descriptor is empty")               // C tor takes that for an error too
	ErrWeakKey    = errors.New("key of low order")                             // of a client or of the service
	ErrTooLong    = errors.New("descriptor is longer than directories accept") // our own one
)
