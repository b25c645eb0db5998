// Package extrainfotest makes relays for tests that publish router descriptors together with extra-info documents.
package extrainfotest

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// A Relay has the keys of a relay. Its methods panic on what cannot happen.
type Relay struct {
	Nickname string
	RSA      [20]byte // fingerprint

	identity *rsa.PrivateKey
	ed       ed25519.PrivateKey
	signing  ed25519.PrivateKey
	ntor     *ecdh.PrivateKey
	onion    *rsa.PrivateKey
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// New makes the keys of a relay, which are new each time.
func New(nickname string) *Relay {
	_, ed, err := ed25519.GenerateKey(nil)
	_, signing, err2 := ed25519.GenerateKey(nil)
	if err != nil || err2 != nil {
		panic("extrainfotest: no randomness")
	}
	r := &Relay{
		Nickname: nickname, ed: ed, signing: signing,
		identity: must(rsa.GenerateKey(rand.Reader, rsakey.RelayBits)),
		ntor:     must(ecdh.X25519().GenerateKey(rand.Reader)),
		onion:    must(rsa.GenerateKey(rand.Reader, rsakey.RelayBits)),
	}
	r.RSA = rsakey.Fingerprint(&r.identity.PublicKey)
	return r
}

const certLife = 30 * 24 * time.Hour

// Keys returns the keys that sign what is published at a time.
func (r *Relay) Keys(at time.Time) *extrainfo.Keys {
	pub := [32]byte(r.ed.Public().(ed25519.PublicKey))
	cert := must((&torcert.Cert{
		Type: torcert.TypeIDSigning, Expires: at.Add(certLife), KeyType: torcert.KeyEd25519,
		Key: [32]byte(r.signing.Public().(ed25519.PublicKey)), SignedWith: &pub,
	}).Sign(r.ed))
	return &extrainfo.Keys{Identity: r.identity, Signing: r.signing, SigningCert: cert}
}

// Publish makes both documents of one moment.
func (r *Relay) Publish(at time.Time) (descriptor, extra []byte) {
	k := r.Keys(at)
	lines := fmt.Appendf(nil, "write-history %s (86400 s) 1024,2048\n", at.UTC().Format(time.DateTime))
	e := must(extrainfo.Make(r.Nickname, at, k, [][]byte{lines}))
	policy, _, err := exitpolicy.ParseList("reject *:*", exitpolicy.BareRefused)
	if err != nil {
		panic(err)
	}
	d := routerdesc.Descriptor{
		Nickname: r.Nickname, OR: netip.MustParseAddrPort("192.0.2.1:9001"), Published: at, Protocols: "Cons=2 Desc=2-4",
		Platform: "Tor 0.4.9.11 on Linux", Bandwidth: routerdesc.Bandwidth{Rate: 1000, Burst: 2000, Observed: 3000},
		ExtraInfo: e.Digest, ExtraInfo256: e.Digest256, DirCache: true, Policy: policy,
	}
	descriptor = must(routerdesc.Make(&d, &routerdesc.Keys{
		Identity: k.Identity, Signing: k.Signing, SigningCert: k.SigningCert, Ntor: r.ntor, NtorLife: certLife,
		Onion: r.onion,
	}))
	return descriptor, e.Text
}
