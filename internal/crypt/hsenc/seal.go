package hsenc

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"time"

	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// CertLifetime is how long the certificates in a descriptor live, counted from the last full hour.
const CertLifetime = 54 * time.Hour

// Version is what makes one version of a descriptor.
type Version struct {
	Cert     *torcert.Cert // of the descriptor signing key, by the blinded key: see NewCert
	Signing  crypto.Signer // the descriptor signing key
	Revision uint64        // see hskeys.RevisionCounter
	Lifetime time.Duration // 0 means hsdesc.DefaultLifetime
}

// NewCert certifies an Ed25519 key: a descriptor signing key by the blinded key (torcert.TypeHSSigning), or a key of an
// introduction point by the descriptor signing key.
func NewCert(typ uint8, key [32]byte, by crypto.Signer, now time.Time) (*torcert.Cert, error) {
	pub, err := edPublic(by)
	if err != nil {
		return nil, err
	}
	c := &torcert.Cert{
		Type: typ, Expires: now.Truncate(time.Hour).Add(CertLifetime), KeyType: torcert.KeyEd25519, Key: key, SignedWith: &pub,
	}
	return c.Sign(by)
}

// NewEncCert certifies the encryption key of an introduction point by the descriptor signing key.
func NewEncCert(enc [32]byte, by crypto.Signer, now time.Time) (*torcert.Cert, error) {
	// C tor takes the sign 0 as well (setup_desc_intro_point).
	ed, err := torcert.EdFromX25519(enc, 0)
	if err != nil {
		return nil, err
	}
	return NewCert(torcert.TypeHSIntroEnc, ed, by, now)
}

// Seal makes the descriptor: the bytes that are uploaded. size is the parameter HSV3MaxDescriptorSize.
func (a *Auth) Seal(rand io.Reader, v Version, in *hsdesc.Inner, size int) ([]byte, error) {
	text, err := a.seal(rand, v, in)
	if err == nil && len(text) >= size {
		err = ErrTooLong
	}
	if err != nil {
		return nil, fmt.Errorf("onion service descriptor: %w", err)
	}
	return text, nil
}

func (a *Auth) seal(rand io.Reader, v Version, in *hsdesc.Inner) ([]byte, error) {
	if v.Cert.SignedWith == nil {
		return nil, fmt.Errorf("blinded key: %w", torcert.ErrMissing)
	}
	text, err := in.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	l := layer{
		purpose: innerString, blinded: *v.Cert.SignedWith, cookie: a.cookie, subcredential: a.subcredential, revision: v.Revision,
	}
	m := a.middle
	if m.Encrypted, err = l.seal(rand, text); err != nil {
		return nil, err
	}
	if text, err = m.AppendTo(nil); err != nil {
		return nil, err
	}
	l.purpose, l.cookie = middleString, nil
	o := hsdesc.Outer{Lifetime: v.Lifetime, Cert: v.Cert, Revision: v.Revision}
	if o.Lifetime == 0 {
		o.Lifetime = hsdesc.DefaultLifetime
	}
	if o.Superencrypted, err = l.seal(rand, pad(text)); err != nil {
		return nil, err
	}
	return o.AppendSigned(nil, v.Signing)
}

func edPublic(k crypto.Signer) ([32]byte, error) {
	pub, ok := k.Public().(ed25519.PublicKey)
	if !ok {
		return [32]byte{}, fmt.Errorf("signing key: %w", torcert.ErrWrongKey)
	}
	return [32]byte(pub), nil
}
