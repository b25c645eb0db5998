// Package torcert is Tor's own certificate format, and the check of the set of certificates with which the two ends of a
// link prove who they are.
//
//	RSA identity ──X.509 (2), by itself──► RSA identity key
//	     │
//	     └──cross-certificate (7)──► Ed25519 identity ──(4)──► signing key ──(5)──► TLS certificate of the responder
//	                                                                 └─────(6)──► key that the initiator signs with
//
// Numbers are types of certificates. [CheckResponder] and [CheckInitiator] check a whole set and [LinkKeys] makes one;
// [Parse] and [ParseRSACrosscert] read single certificates, which directory documents and onion services use too.
//
// https://spec.torproject.org/cert-spec.html
package torcert

import "errors"

// What can be wrong with a certificate or a set of them.
var (
	ErrMalformed    = errors.New("malformed certificate")
	ErrExtension    = errors.New("unknown extension that affects validation")
	ErrType         = errors.New("certificate of another type")
	ErrMissing      = errors.New("missing")
	ErrDuplicate    = errors.New("certificate given twice")
	ErrExpired      = errors.New("certificate has expired")
	ErrNotYetValid  = errors.New("certificate is not valid yet")
	ErrWrongKey     = errors.New("certificate with another key than expected")
	ErrSignature    = errors.New("wrong signature")
	ErrOtherTLSCert = errors.New("certificate is about another TLS certificate")
)

// Types of certificates: in CERTS cells, in directory documents and in onion service descriptors.
//
// https://spec.torproject.org/cert-spec.html#list-cert-types
const (
	TypeRSALink     uint8 = 1    // X.509: TLS key, by RSA identity
	TypeRSAIdentity uint8 = 2    // X.509: RSA identity, by itself
	TypeRSAAuth     uint8 = 3    // X.509: key of a handshake that is not in use any more, by RSA identity
	TypeIDSigning   uint8 = 4    // signing key, by Ed25519 identity
	TypeSigningLink uint8 = 5    // TLS certificate, by signing key
	TypeSigningAuth uint8 = 6    // link authentication key, by signing key
	TypeRSACross    uint8 = 7    // Ed25519 identity, by RSA identity: a format of its own
	TypeHSSigning   uint8 = 8    // descriptor signing key, by blinded identity of an onion service
	TypeHSIntroAuth uint8 = 9    // authentication key of an introduction point, by descriptor signing key
	TypeNtorCross   uint8 = 0x0A // Ed25519 identity, by onion key
	TypeHSIntroEnc  uint8 = 0x0B // encryption key of an introduction point, by descriptor signing key
	TypeFamily      uint8 = 0x0C // Ed25519 identity, by family key
)

// Kinds of certified keys. Old implementations write KeyEd25519 whatever it is; the type of the certificate tells.
//
// https://spec.torproject.org/cert-spec.html#list-key-types
const (
	KeyEd25519    uint8 = 1
	KeyRSASHA256  uint8 = 2 // SHA-256 of an RSA key
	KeyX509SHA256 uint8 = 3 // SHA-256 of an X.509 certificate
)
