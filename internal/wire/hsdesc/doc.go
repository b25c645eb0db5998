// Package hsdesc reads and writes the descriptors of onion services (version 3).
//
//	outer layer          plain: revision, lifetime and keys, which an onion service directory needs
//	└─ superencrypted    for those who know the service's address: clients that may use the service
//	   └─ encrypted      for those clients: introduction points
//
// This package has the texts of the three layers, [Outer], [Middle] and [Inner]; package hsenc encrypts and decrypts them.
//
// https://spec.torproject.org/rend-spec/hsdesc.html
package hsdesc

import "errors"

// Errors of this package, beside those of packages netdoc and torcert.
var (
	ErrTooLong   = errors.New("descriptor is too long")
	ErrVersion   = errors.New("unknown descriptor version")
	ErrLifetime  = errors.New("lifetime out of range")
	ErrTooShort  = errors.New("encrypted data is too short")
	ErrSignature = errors.New("wrong signature")
	ErrKey       = errors.New("not the key that the certificate is about")
	ErrAuthType  = errors.New("unknown kind of client authorization")
	ErrCreate2   = errors.New("service does not know the ntor handshake")
	ErrIntroAuth = errors.New("unknown kinds of authentication at introduction points")
	ErrZeroKey   = errors.New("key is zero")
)
