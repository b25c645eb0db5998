package voteoracle

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// MaxAuthorities is how many authorities there are keys of.
const MaxAuthorities = 9

// An Authority is one whose keys the tests hold. It is the same in all scenarios, and so is its certificate.
type Authority struct {
	Identity *rsa.PrivateKey
	Signing  *rsa.PrivateKey
	Cert     []byte // the certificate of the signing key, a document
}

// ID is the fingerprint of the identity key.
func (a *Authority) ID() [20]byte { return rsakey.Fingerprint(&a.Identity.PublicKey) }

// keyring is what keys.pem has: two keys of each authority, identity and signing, and the identity of C tor as a relay.
type keyring struct {
	authorities []Authority
	relay       *rsa.PrivateKey
}

// keys are parsed once. Certificates are valid long enough for C tor to accept them whenever somebody records again.
var keys = sync.OnceValue(func() keyring {
	text := must(testdata.ReadFile("testdata/keys.pem"))
	next := func() *rsa.PrivateKey {
		var block *pem.Block
		block, text = pem.Decode(text)
		return must(x509.ParsePKCS1PrivateKey(block.Bytes))
	}
	published := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var k keyring
	for range MaxAuthorities {
		identity, signing := next(), next()
		cert := must(authcert.Make(identity, signing, published, published.AddDate(60, 0, 0), netip.AddrPort{}))
		k.authorities = append(k.authorities, Authority{identity, signing, cert})
	}
	k.relay = next()
	return k
})

// Authorities returns all authorities. A scenario uses the first of them.
func Authorities() []Authority { return keys().authorities }

func must[T any](v T, err error) T {
	if err != nil {
		panic("voteoracle: " + err.Error())
	}
	return v
}
