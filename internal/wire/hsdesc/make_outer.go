package hsdesc

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// AppendSigned appends the descriptor as C tor writes it, signed with the descriptor signing key.
//
// https://spec.torproject.org/rend-spec/hsdesc-outer.html
func (o *Outer) AppendSigned(dst []byte, key crypto.Signer) ([]byte, error) {
	if err := o.check(key); err != nil {
		return dst, fmt.Errorf("onion service descriptor: %w", err)
	}
	e := netdoc.NewEncoder(dst)
	e.Item(kwVersion, version)
	e.Item(kwLifetime).Uint(uint64(o.Lifetime / time.Minute))
	e.Item(kwCert).Object(tagCert, o.Cert.Bytes())
	e.Item(kwRevision).Uint(o.Revision)
	e.Item(kwSuperencrypted).Object(tagMessage, o.Superencrypted)
	text, err := e.Bytes()
	if err != nil {
		return dst, err
	}
	signature, err := key.Sign(nil, signedText(text[len(dst):]), crypto.Hash(0))
	if err != nil {
		return dst, fmt.Errorf("onion service descriptor: %w", err)
	}
	e.Item(kwSignature).Base64(signature)
	return e.Bytes()
}

// check refuses what ParseOuter would not read.
func (o *Outer) check(key crypto.Signer) error {
	pub, ok := key.Public().(ed25519.PublicKey)
	switch {
	case !ok || [32]byte(pub) != o.Cert.Key:
		return ErrKey
	case len(o.Superencrypted) < minEncrypted:
		return ErrTooShort
	}
	if err := checkCert(o.Cert); err != nil {
		return err
	}
	return checkLifetime(o.Lifetime)
}
