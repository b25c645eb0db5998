package torcert

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"time"
)

// Entry is a certificate in a CERTS cell.
type Entry struct {
	Type uint8
	Body []byte
}

// Identities are what one end of a link proved to own.
type Identities struct {
	RSA    [20]byte // SHA-1 of the RSA identity key
	RSA256 [32]byte // SHA-256 of it; AUTHENTICATE needs it
	Ed     [32]byte
	HasEd  bool
}

// set is a CERTS cell by type. Types that we do not know are left out.
type set map[uint8][]byte

func collect(certs []Entry) (set, error) {
	s := set{}
	for _, e := range certs {
		if e.Type < TypeRSALink || e.Type > TypeRSACross {
			continue
		}
		// "A CERTS cell may have no more than one certificate of each CertType."
		if s.has(e.Type) {
			return nil, fmt.Errorf("certificate of type %d: %w", e.Type, ErrDuplicate)
		}
		s[e.Type] = e.Body
	}
	return s, nil
}

func (s set) has(typ uint8) bool {
	_, ok := s[typ]
	return ok
}

func (s set) get(typ uint8) ([]byte, error) {
	if !s.has(typ) {
		return nil, fmt.Errorf("certificate of type %d: %w", typ, ErrMissing)
	}
	return s[typ], nil
}

// CheckResponder checks the CERTS cell of the side that accepted the connection. tlsCert is the certificate that it
// showed in TLS, in DER.
//
// A set with a certificate of type 4 must prove both identities completely. One without it proves the RSA identity
// alone, in the old way; HasEd is false then, and whoever expects a certain Ed25519 identity must not be content.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html#CERTS-cells
func CheckResponder(certs []Entry, tlsCert []byte, now time.Time) (Identities, error) {
	s, err := collect(certs)
	if err != nil {
		return Identities{}, err
	}
	if !s.has(TypeIDSigning) {
		return s.checkRSALink(tlsCert, now)
	}
	ids, signing, err := s.checkIdentities(now)
	if err != nil {
		return Identities{}, err
	}
	link, err := s.checkSigned(TypeSigningLink, signing, now)
	if err != nil {
		return Identities{}, err
	}
	if link.Key != sha256.Sum256(tlsCert) {
		return Identities{}, fmt.Errorf("certificate of type %d: %w", TypeSigningLink, ErrOtherTLSCert)
	}
	return ids, nil
}

// CheckInitiator checks the CERTS cell of the side that opened the connection. It returns the key with which the
// AUTHENTICATE cell must be signed: the identities are not proven before that.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html#CERTS-cells
func CheckInitiator(certs []Entry, now time.Time) (Identities, ed25519.PublicKey, error) {
	s, err := collect(certs)
	if err != nil {
		return Identities{}, nil, err
	}
	ids, signing, err := s.checkIdentities(now)
	if err != nil {
		return Identities{}, nil, err
	}
	auth, err := s.checkSigned(TypeSigningAuth, signing, now)
	if err != nil {
		return Identities{}, nil, err
	}
	return ids, auth.Key[:], nil
}

// checkIdentities checks the certificates of types 2, 4 and 7, and returns the signing key that 4 is about.
func (s set) checkIdentities(now time.Time) (ids Identities, signing ed25519.PublicKey, err error) {
	// "The identity key listed in the ID->Signing cert was used to sign the ID->Signing Cert."
	cert, err := s.checkSigned(TypeIDSigning, nil, now)
	if err != nil {
		return ids, nil, err
	}
	rsa, err := s.checkRSAIdentity(now)
	if err != nil {
		return ids, nil, err
	}
	body, err := s.get(TypeRSACross)
	if err != nil {
		return ids, nil, err
	}
	cross, err := ParseRSACrosscert(body)
	if err != nil {
		return ids, nil, err
	}
	// "The RSA->Ed25519 cross-certificate certifies the Ed25519 identity, and is signed with the RSA identity listed in
	// the "ID" certificate."
	if cross.Ed != *cert.SignedWith {
		return ids, nil, fmt.Errorf("cross-certificate: %w", ErrWrongKey)
	}
	if err := cross.Verify(rsa.key, now); err != nil {
		return ids, nil, fmt.Errorf("certificate of type %d: %w", TypeRSACross, err)
	}
	ids = Identities{Ed: cross.Ed, HasEd: true}
	ids.RSA, ids.RSA256 = rsa.digests()
	return ids, cert.Key[:], nil
}

// checkSigned checks a certificate that an Ed25519 key signed: pub, or if it is nil the one that it names.
func (s set) checkSigned(typ uint8, pub ed25519.PublicKey, now time.Time) (*Cert, error) {
	body, err := s.get(typ)
	if err != nil {
		return nil, err
	}
	cert, err := Parse(body)
	switch {
	case err != nil:
	case cert.Type != typ:
		err = fmt.Errorf("type %d inside: %w", cert.Type, ErrType)
	case cert.KeyType != KeyEd25519 && (typ != TypeSigningLink || cert.KeyType != KeyX509SHA256):
		err = fmt.Errorf("key of type %d: %w", cert.KeyType, ErrType)
	default:
		err = cert.Verify(pub, now)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate of type %d: %w", typ, err)
	}
	return cert, nil
}

func (s set) checkRSAIdentity(now time.Time) (rsaIdentity, error) {
	body, err := s.get(TypeRSAIdentity)
	if err != nil {
		return rsaIdentity{}, err
	}
	id, err := checkRSAIdentity(body, now)
	if err != nil {
		return rsaIdentity{}, fmt.Errorf("certificate of type %d: %w", TypeRSAIdentity, err)
	}
	return id, nil
}

// checkRSALink checks the certificates of types 1 and 2, which prove the RSA identity alone.
func (s set) checkRSALink(tlsCert []byte, now time.Time) (ids Identities, err error) {
	id, err := s.checkRSAIdentity(now)
	if err != nil {
		return ids, err
	}
	body, err := s.get(TypeRSALink)
	if err != nil {
		return ids, err
	}
	link, err := parseX509(body)
	if err == nil {
		err = checkX509(link, id.cert, now)
	}
	if err != nil {
		return ids, fmt.Errorf("certificate of type %d: %w", TypeRSALink, err)
	}
	shown, err := parseX509(tlsCert)
	if err != nil {
		return ids, fmt.Errorf("TLS certificate: %w", err)
	}
	// "The certified key in the Link certificate matches the link key that was used to negotiate the TLS connection."
	if !bytes.Equal(link.RawSubjectPublicKeyInfo, shown.RawSubjectPublicKeyInfo) {
		return ids, fmt.Errorf("certificate of type %d: %w", TypeRSALink, ErrOtherTLSCert)
	}
	ids.RSA, ids.RSA256 = id.digests()
	return ids, nil
}
