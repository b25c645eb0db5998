package torcert

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"time"
)

// Lifetimes of the certificates that a relay makes for its links; signing keys live for 30 days.
const (
	linkCertLifetime  = 2 * 24 * time.Hour
	crosscertLifetime = 180 * 24 * time.Hour
	signingLifetime   = 30 * 24 * time.Hour
)

// LinkKeys are the keys with which a relay proves on its links who it is. The Ed25519 identity key itself is not among
// them: it may be kept elsewhere, once it has signed the signing key.
type LinkKeys struct {
	RSA     *rsa.PrivateKey // identity, 1024 bits
	Signing crypto.Signer   // Ed25519
	IDCert  *Cert           // of type 4: the Ed25519 identity key certifies Signing, and is named

	LinkLifetime, AuthLifetime time.Duration // of the certificates by Signing for the keys of TLS and of AUTHENTICATE; 2 days if zero
}

// NewLinkKeys makes keys for a new relay. identity is its Ed25519 identity key.
func NewLinkKeys(identity crypto.Signer, now time.Time) (*LinkKeys, error) {
	id, err := rsa.GenerateKey(rand.Reader, rsaIdentityBits)
	if err != nil {
		return nil, fmt.Errorf("RSA identity key: %w", err)
	}
	pub, signing, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	idPub, ok := identity.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("identity key: %w", ErrWrongKey)
	}
	cert := Cert{
		Type: TypeIDSigning, Expires: now.Add(signingLifetime),
		KeyType: KeyEd25519, Key: [32]byte(pub), SignedWith: (*[32]byte)(idPub),
	}
	idCert, err := cert.Sign(identity)
	if err != nil {
		return nil, err
	}
	return &LinkKeys{RSA: id, Signing: signing, IDCert: idCert}, nil
}

// Responder makes what a relay shows to those who connect to it: a TLS certificate, in DER, for the key pub (RSA of 2048
// bits in C tor), which is valid for lifetime, of which some has passed, and the CERTS cell that goes with it.
func (k *LinkKeys) Responder(random io.Reader, pub crypto.PublicKey, now time.Time, lifetime time.Duration) (tlsCert []byte, certs []Entry, err error) {
	issuer, err := hostname(random, ".com")
	if err != nil {
		return nil, nil, err
	}
	name, err := hostname(random, ".net")
	if err != nil {
		return nil, nil, err
	}
	tlsCert, err = makeX509(random, name, issuer, pub, k.RSA, now, lifetime)
	if err != nil {
		return nil, nil, err
	}
	link := Cert{Type: TypeSigningLink, KeyType: KeyX509SHA256, Key: sha256.Sum256(tlsCert), Expires: now.Add(cmp.Or(k.LinkLifetime, linkCertLifetime))}
	certs, err = k.certs(random, issuer, link, now)
	if err != nil {
		return nil, nil, err
	}
	return tlsCert, append([]Entry{{TypeRSALink, tlsCert}}, certs...), nil
}

// Initiator makes the CERTS cell of a relay that connects to another. auth is the public part of the key that will sign
// the AUTHENTICATE cell.
func (k *LinkKeys) Initiator(random io.Reader, auth [32]byte, now time.Time) ([]Entry, error) {
	issuer, err := hostname(random, ".com")
	if err != nil {
		return nil, err
	}
	return k.certs(random, issuer, Cert{Type: TypeSigningAuth, KeyType: KeyEd25519, Key: auth, Expires: now.Add(cmp.Or(k.AuthLifetime, linkCertLifetime))}, now)
}

// certs makes what is the same on both sides, and last, the certificate by the signing key.
func (k *LinkKeys) certs(random io.Reader, issuer string, last Cert, now time.Time) ([]Entry, error) {
	id, err := makeX509(random, issuer, issuer, &k.RSA.PublicKey, k.RSA, now, identityLifetime)
	if err != nil {
		return nil, err
	}
	lastBytes, err := last.AppendSigned(nil, k.Signing)
	if err != nil {
		return nil, err
	}
	if k.IDCert.SignedWith == nil {
		return nil, fmt.Errorf("identity in the certificate of type %d: %w", TypeIDSigning, ErrMissing)
	}
	cross := RSACrosscert{Ed: *k.IDCert.SignedWith, Expires: now.Add(crosscertLifetime)}
	crossBytes, err := cross.AppendSigned(nil, k.RSA)
	if err != nil {
		return nil, err
	}
	return []Entry{
		{TypeRSAIdentity, id},
		{TypeIDSigning, k.IDCert.Bytes()},
		{last.Type, lastBytes},
		{TypeRSACross, crossBytes},
	}, nil
}
