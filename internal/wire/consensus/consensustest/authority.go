package consensustest

import (
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

//go:embed keys.pem
var keysPEM []byte

// An Authority signs test documents.
type Authority struct {
	Nickname string
	Identity *rsa.PrivateKey
	Signing  *rsa.PrivateKey
}

// MaxAuthorities is how many key pairs there are.
const MaxAuthorities = 5

// Authorities returns n authorities, at most MaxAuthorities, with keys that never change.
func Authorities(n int) []Authority {
	var keys []*rsa.PrivateKey
	for rest := keysPEM; len(keys) < 2*n; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			panic(fmt.Sprintf("consensustest: %d authorities, there are keys of %d", n, MaxAuthorities))
		}
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	list := make([]Authority, n)
	for i := range list {
		list[i] = Authority{fmt.Sprintf("auth%d", i), keys[2*i], keys[2*i+1]}
	}
	return list
}

// ID is the fingerprint of the identity key.
func (a *Authority) ID() [20]byte { return rsakey.Fingerprint(&a.Identity.PublicKey) }

// keyID names the signing key.
func (a *Authority) keyID() consensus.KeyID {
	return consensus.KeyID{Identity: a.ID(), SigningKey: rsakey.Fingerprint(&a.Signing.PublicKey)}
}

// Sign makes a signature over a digest.
func (a *Authority) Sign(alg consensus.Algorithm, digest []byte) consensus.Signature {
	id := a.keyID()
	return consensus.Signature{
		Algorithm: alg, Identity: id.Identity, SigningKey: id.SigningKey, Signature: must(rsakey.SignRaw(a.Signing, digest)),
	}
}

// Cert is the certificate of the signing key as a document.
func (a *Authority) Cert(published, expires time.Time) []byte {
	return must(authcert.Make(a.Identity, a.Signing, published, expires, netip.AddrPort{}))
}

// Keyring trusts the authorities and has their signing keys.
func Keyring(list []Authority) *consensus.Keyring {
	keys := map[consensus.KeyID]*rsa.PublicKey{}
	k := &consensus.Keyring{Key: func(id consensus.KeyID) *rsa.PublicKey { return keys[id] }}
	for i := range list {
		keys[list[i].keyID()] = &list[i].Signing.PublicKey
		k.Trusted = append(k.Trusted, list[i].ID())
	}
	return k
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("consensustest: " + err.Error())
	}
	return v
}
