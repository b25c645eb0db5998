package admit_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/keypin"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
	"github.com/tropea-net/tropea/internal/wire/torversion"
)

// from uploads.
var from = netip.MustParseAddr("198.18.0.1")

// now is when tests run: C tor has no other time.
var now = time.Now().UTC().Truncate(time.Second)

// onion is the ntor and TAP key of all relays: it takes time to make one.
var (
	ntorKey  = must(ecdh.X25519().GenerateKey(rand.Reader))
	onionKey = must(rsa.GenerateKey(rand.Reader, rsakey.RelayBits))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A relay can publish documents of many kinds.
type relay struct {
	extrainfo.Keys
	master crypto.Signer // Ed25519 identity
	ntor   *ecdh.PrivateKey
	onion  *rsa.PrivateKey
}

const nickname = "unnamed"

func newRelay() *relay {
	_, master, err := ed25519.GenerateKey(nil)
	_, signing, err2 := ed25519.GenerateKey(nil)
	if err != nil || err2 != nil {
		panic("no randomness")
	}
	r := &relay{
		extrainfo.Keys{Identity: must(rsa.GenerateKey(rand.Reader, rsakey.RelayBits)), Signing: signing}, master, ntorKey, onionKey,
	}
	r.certify(now.Add(30 * 24 * time.Hour))
	return r
}

// certify makes the certificate of the signing key.
func (r *relay) certify(expires time.Time) {
	r.SigningCert = must((&torcert.Cert{
		Type: torcert.TypeIDSigning, Expires: expires, KeyType: torcert.KeyEd25519,
		Key: [32]byte(r.Signing.Public().(ed25519.PublicKey)), SignedWith: (*[32]byte)(r.master.Public().(ed25519.PublicKey)),
	}).Sign(r.master))
}

// withEd returns a relay with our RSA identity and another's Ed25519 identity.
func (r *relay) withEd(other *relay) *relay {
	with := *other
	with.Identity = r.Identity
	return &with
}

func (r *relay) fingerprint() [20]byte { return rsakey.Fingerprint(&r.Identity.PublicKey) }

// plain is what a relay says if nothing else matters.
func plain(at time.Time) routerdesc.Descriptor {
	return routerdesc.Descriptor{
		Nickname: nickname, OR: netip.MustParseAddrPort("192.0.2.1:9001"), Published: at, Protocols: "Cons=2 Desc=2-4", Platform: "Tor 0.4.9.11 on Linux",
		Bandwidth: routerdesc.Bandwidth{Rate: 1 << 20, Burst: 2 << 20, Observed: 3 << 20}, DirCache: true, Contact: "c",
	}
}

// publish makes a descriptor. The changes are made to what plain says.
func (r *relay) publish(at time.Time, changes ...func(*routerdesc.Descriptor)) []byte {
	d := plain(at)
	for _, change := range changes {
		change(&d)
	}
	return must(routerdesc.Make(&d, &routerdesc.Keys{
		Identity: r.Identity, Signing: r.Signing, SigningCert: r.SigningCert, Ntor: r.ntor, NtorLife: 30 * 24 * time.Hour, Onion: r.onion,
	}))
}

// extra makes an extra-info document with some lines of statistics.
func (r *relay) extra(at time.Time, lines int) *extrainfo.Document {
	text := bytes.Repeat(fmt.Appendf(nil, "conn-bi-direct %s (86400 s) 1,2,3,4\n", at.Format(time.DateTime)), lines)
	return must(extrainfo.Make(nickname, at, &r.Keys, [][]byte{text}))
}

// refer makes a descriptor refer to an extra-info document.
func refer(e *extrainfo.Document) func(*routerdesc.Descriptor) {
	return func(d *routerdesc.Descriptor) { d.ExtraInfo, d.ExtraInfo256 = e.Digest, e.Digest256 }
}

// at gives a relay an address.
func at(addr string) func(*routerdesc.Descriptor) {
	return func(d *routerdesc.Descriptor) { d.OR = netip.MustParseAddrPort(addr) }
}

func platform(s string) func(*routerdesc.Descriptor) {
	return func(d *routerdesc.Descriptor) { d.Platform = s }
}

// resign changes the text of a document in a way that no maker would, and signs it anew.
func (r *relay) resign(text []byte, old, new string) []byte {
	const edSig = "\nrouter-sig-ed25519 "
	if !bytes.Contains(text, []byte(old)) {
		panic("nothing to change: " + old)
	}
	text = bytes.Replace(text, []byte(old), []byte(new), 1)
	text = bytes.Clone(text[:bytes.Index(text, []byte(edSig))+len(edSig)])
	sum := sha256.Sum256(append([]byte("Tor router descriptor signature v1"), text...))
	text = base64.RawStdEncoding.AppendEncode(text, ed25519.Sign(r.Signing.(ed25519.PrivateKey), sum[:]))
	text = append(text, "\nrouter-signature\n"...)
	digest := sha1.Sum(text)
	sig := must(rsakey.SignRaw(r.Identity, digest[:]))
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "SIGNATURE", Bytes: sig})...)
}

// damage changes a letter of the last object.
func damage(text []byte) []byte {
	text = bytes.Clone(text)
	i := bytes.LastIndex(text, []byte("-----BEGIN SIGNATURE-----\n")) + 40
	text[i] = map[bool]byte{true: 'B', false: 'A'}[text[i] == 'A']
	return text
}

func join(docs ...[]byte) []byte { return bytes.Join(docs, nil) }

func rejects(t testing.TB, list string) admit.AddressRule {
	t.Helper()
	p, _, err := exitpolicy.ParseList(list, exitpolicy.BareReject)
	if err != nil {
		t.Fatal(err)
	}
	return admit.AddressRule{Policy: p}
}

func newRegistry(t testing.TB, change func(*admit.Config)) *admit.Registry {
	t.Helper()
	version, ok := torversion.Parse("0.4.8.0-alpha-dev")
	if !ok {
		t.Fatal("no version")
	}
	cfg := admit.Config{PinKeys: true, MinVersion: version}
	if change != nil {
		change(&cfg)
	}
	return admit.New(cfg, keypin.New())
}
