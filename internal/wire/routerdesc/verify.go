package routerdesc

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// verify checks what the keys say of each other and of the text. What the digest covers comes first: see
// ErrRouterSignature.
func (p *parser) verify() error {
	for _, step := range []struct {
		item  string
		check func() error
	}{
		{"identity-ed25519", p.verifyIdentity},
		{"fingerprint", p.verifyFingerprint},
		{"ntor-onion-key-crosscert", p.verifyNtorCross},
		{"onion-key-crosscert", p.verifyOnionCross},
		{"family-cert", p.verifyFamily},
		{kwEdSig, p.verifyEdSig},
	} {
		if err := step.check(); err != nil {
			return fmt.Errorf("%s: %w", step.item, err)
		}
	}
	if err := rsakey.VerifyRaw(p.d.Identity, p.d.Digest[:], p.rsaSig); err != nil {
		return fmt.Errorf("%w: %w", ErrRouterSignature, err)
	}
	return nil
}

func (p *parser) verifyIdentity() error {
	c := p.idCert
	switch {
	case c.Type != torcert.TypeIDSigning || c.KeyType != torcert.KeyEd25519:
		return fmt.Errorf("type %d: %w", c.Type, torcert.ErrType)
	case c.SignedWith == nil:
		return fmt.Errorf("identity: %w", torcert.ErrMissing)
	case *c.SignedWith != p.masterKey:
		return fmt.Errorf("master-key-ed25519: %w", ErrMismatch)
	}
	p.d.Ed25519, p.d.SigningKey, p.d.KeysExpire = *c.SignedWith, c.Key, c.Expires
	return c.VerifySignature(nil)
}

func (p *parser) verifyFingerprint() error {
	if p.fingerprint != nil && !bytes.Equal(p.fingerprint, p.d.RSA[:]) {
		return ErrMismatch
	}
	return nil
}

// verifyNtorCross checks the certificate that the ntor key, taken as an Ed25519 key, signed.
//
// https://spec.torproject.org/dir-spec/converting-to-ed25519.html
func (p *parser) verifyNtorCross() error {
	c := p.ntorCross
	if c.Type != torcert.TypeNtorCross {
		return fmt.Errorf("type %d: %w", c.Type, torcert.ErrType)
	}
	if c.Key != p.d.Ed25519 {
		return ErrMismatch
	}
	pub, err := torcert.EdFromX25519(p.d.Ntor, p.ntorSign)
	if err != nil {
		return err
	}
	p.d.KeysExpire = earliest(p.d.KeysExpire, c.Expires)
	return c.VerifySignature(pub[:])
}

// verifyOnionCross checks the signature of both identities by the TAP key.
func (p *parser) verifyOnionCross() error {
	if p.d.OnionKey == nil {
		return nil
	}
	pub, err := rsakey.ParseDER(p.d.OnionKey, rsakey.RelayBits, rsakey.RelayBits)
	if err != nil {
		return err
	}
	return rsakey.VerifyRaw(pub, onionCrossText(p.d.RSA, p.d.Ed25519), p.onionCross)
}

// onionCrossText is what a TAP key signs.
func onionCrossText(rsa [20]byte, ed [32]byte) []byte { return append(rsa[:], ed[:]...) }

// verifyFamily checks the certificates by family keys and lists these keys. One bad certificate spoils the descriptor;
// expired ones do not, as in C tor, so whoever uses the list looks at FamilyExpires.
func (p *parser) verifyFamily() error {
	for _, c := range p.familyCerts {
		switch {
		case c.Type != torcert.TypeFamily:
			return fmt.Errorf("type %d: %w", c.Type, torcert.ErrType)
		case c.SignedWith == nil:
			return fmt.Errorf("family key: %w", torcert.ErrMissing)
		case c.Key != p.d.Ed25519:
			return ErrMismatch
		}
		if err := c.VerifySignature(nil); err != nil {
			return err
		}
		p.d.FamilyIDs = append(p.d.FamilyIDs, FamilyID(*c.SignedWith))
		p.d.FamilyExpires = earliest(p.d.FamilyExpires, c.Expires)
	}
	slices.Sort(p.d.FamilyIDs)
	p.d.FamilyIDs = slices.Compact(p.d.FamilyIDs)
	return nil
}

// FamilyID returns the text form of a family key.
func FamilyID(key [32]byte) string { return "ed25519:" + base64.RawStdEncoding.EncodeToString(key[:]) }

// verifyEdSig checks the signature of the text by the signing key.
func (p *parser) verifyEdSig() error {
	digest := edDigest(p.edSigned)
	if !ed25519.Verify(p.d.SigningKey[:], digest[:], p.edSig[:]) {
		return ErrSignature
	}
	return nil
}

// edDigest is what the Ed25519 signing key signs: a digest of text, which ends behind "router-sig-ed25519 ".
func edDigest(text []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("Tor router descriptor signature v1"))
	h.Write(text)
	return [32]byte(h.Sum(nil))
}

// earliest returns the earlier of two times, of which the zero one does not count.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
