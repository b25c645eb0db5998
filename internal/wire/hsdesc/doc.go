// Package hsdesc reads and writes the descriptors of onion services (version 3).
//
//	outer layer          plain: revision, lifetime and keys, which an onion service directory needs
//	└─ superencrypted    for those who know the service's address: clients that may use the service
//	   └─ encrypted      for those clients: introduction points
//
// So far there is the outer layer alone.
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
)
