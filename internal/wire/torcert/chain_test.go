package torcert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

//go:embed testdata/ctor.json
var ctorJSON []byte

var now = time.Date(2026, 8, 20, 12, 34, 56, 0, time.UTC)

const linkLifetime = 100 * 24 * time.Hour

// A peer is a relay with everything that it shows. Keys take long to make, so tests share two of them.
type peer struct {
	keys      *LinkKeys
	identity  ed25519.PrivateKey
	tls       []byte
	tlsKey    *rsa.PrivateKey
	responder []Entry
	auth      [32]byte
	initiator []Entry
}

func newPeer(seed byte) (*peer, error) {
	p := &peer{identity: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)), auth: [32]byte{seed}}
	var err error
	if p.keys, err = NewLinkKeys(p.identity, now); err != nil {
		return nil, err
	}
	if p.tlsKey, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if p.tls, p.responder, err = p.keys.Responder(rand.Reader, &p.tlsKey.PublicKey, now, linkLifetime); err != nil {
		return nil, err
	}
	p.initiator, err = p.keys.Initiator(rand.Reader, p.auth, now)
	return p, err
}

var (
	alice = sync.OnceValues(func() (*peer, error) { return newPeer(1) })
	bob   = sync.OnceValues(func() (*peer, error) { return newPeer(2) })
)

func peers(t testing.TB) (a, b *peer) {
	t.Helper()
	a, err := alice()
	if err != nil {
		t.Fatal(err)
	}
	b, err = bob()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func (p *peer) ids() Identities {
	der := x509.MarshalPKCS1PublicKey(&p.keys.RSA.PublicKey)
	return Identities{
		RSA: sha1.Sum(der), RSA256: sha256.Sum256(der),
		Ed: [32]byte(p.identity.Public().(ed25519.PublicKey)), HasEd: true,
	}
}

// put returns the set with one certificate exchanged or added.
func put(certs []Entry, typ uint8, body []byte) []Entry {
	return append(drop(certs, typ), Entry{typ, body})
}

func drop(certs []Entry, types ...uint8) []Entry {
	return slices.DeleteFunc(slices.Clone(certs), func(e Entry) bool { return slices.Contains(types, e.Type) })
}

func pick(certs []Entry, typ uint8) []byte {
	i := slices.IndexFunc(certs, func(e Entry) bool { return e.Type == typ })
	return certs[i].Body
}

// flip returns b with its last byte, which belongs to a signature, changed.
func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

func mustSign(t *testing.T, c Cert, key crypto.Signer) []byte {
	t.Helper()
	b, err := c.AppendSigned(nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustCross(t *testing.T, c RSACrosscert, key *rsa.PrivateKey) []byte {
	t.Helper()
	b, err := c.AppendSigned(nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustX509(t *testing.T, pub crypto.PublicKey, signer *rsa.PrivateKey, at time.Time, lifetime time.Duration) []byte {
	t.Helper()
	b, err := makeX509(rand.Reader, "www.example.net", "www.example.com", pub, signer, at, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// https://spec.torproject.org/tor-spec/negotiating-channels.html#CERTS-cells
func TestGoodSets(t *testing.T) {
	a, _ := peers(t)
	want := a.ids()
	for name, certs := range map[string][]Entry{
		"as made":             a.responder,
		"without RSA link":    drop(a.responder, TypeRSALink),
		"broken RSA link":     put(a.responder, TypeRSALink, []byte("junk")),
		"unknown types":       append(slices.Clone(a.responder), Entry{0, nil}, Entry{0, nil}, Entry{8, nil}, Entry{255, nil}, Entry{255, nil}),
		"in the wrong order":  reversed(a.responder),
		"key type of old tor": put(a.responder, TypeSigningLink, mustSign(t, Cert{Type: TypeSigningLink, KeyType: KeyEd25519, Key: sha256.Sum256(a.tls), Expires: now}, a.keys.Signing)),
	} {
		if got, err := CheckResponder(certs, a.tls, now); err != nil || got != want {
			t.Errorf("responder, %s: got %+v, error %v, want %+v", name, got, err, want)
		}
	}
	got, auth, err := CheckInitiator(a.initiator, now)
	if err != nil || got != want || !bytes.Equal(auth, a.auth[:]) {
		t.Errorf("initiator: got %+v, key %x, error %v, want %+v and %x", got, auth, err, want, a.auth)
	}

	want.Ed, want.HasEd = [32]byte{}, false
	rsaOnly := drop(a.responder, TypeIDSigning, TypeSigningLink, TypeRSACross)
	if got, err := CheckResponder(rsaOnly, a.tls, now); err != nil || got != want {
		t.Errorf("responder with RSA alone: got %+v, error %v, want %+v", got, err, want)
	}
}

// https://spec.torproject.org/tor-spec/negotiating-channels.html#CERTS-cells
func TestSetOfCTor(t *testing.T) {
	var v struct {
		At           time.Time
		TLS, RSA, Ed hexBytes
		Certs        map[uint8]hexBytes
	}
	if err := json.Unmarshal(ctorJSON, &v); err != nil {
		t.Fatal(err)
	}
	var certs []Entry
	for typ, body := range v.Certs {
		certs = append(certs, Entry{typ, body})
	}
	got, err := CheckResponder(certs, v.TLS, v.At)
	if err != nil || !bytes.Equal(got.RSA[:], v.RSA) || !bytes.Equal(got.Ed[:], v.Ed) || !got.HasEd {
		t.Errorf("got %+v, error %v, want %x and %x", got, err, v.RSA, v.Ed)
	}
	got, err = CheckResponder(drop(certs, TypeIDSigning), v.TLS, v.At)
	if err != nil || !bytes.Equal(got.RSA[:], v.RSA) || got.HasEd {
		t.Errorf("RSA alone: got %+v, error %v, want %x", got, err, v.RSA)
	}
}

func reversed(certs []Entry) []Entry {
	certs = slices.Clone(certs)
	slices.Reverse(certs)
	return certs
}

type hostile struct {
	name  string
	certs []Entry
	at    time.Time
	want  error
}

// commonCases are the bad sets that both sides must refuse. last is the type of the certificate by the signing key.
func commonCases(t *testing.T, a, b *peer, good []Entry, last uint8) []hostile {
	idKey := [32]byte(a.identity.Public().(ed25519.PublicKey))
	signing := a.keys.IDCert.Key
	id4 := Cert{Type: TypeIDSigning, KeyType: KeyEd25519, Key: signing, Expires: now.Add(time.Hour), SignedWith: &idKey}
	lastCert, err := Parse(pick(good, last))
	if err != nil {
		t.Fatal(err)
	}
	edit4 := func(f func(c *Cert)) []byte { c := id4; f(&c); return mustSign(t, c, a.identity) }
	editLast := func(f func(c *Cert)) []byte { c := *lastCert; f(&c); return mustSign(t, c, a.keys.Signing) }
	past := func(c *Cert) { c.Expires = now.Add(-time.Hour) }
	rsaPub := &a.keys.RSA.PublicKey
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	cases := []hostile{
		{"type 4 garbage", put(good, TypeIDSigning, []byte("garbage")), now, ErrMalformed},
		{"type 4 empty", put(good, TypeIDSigning, nil), now, ErrMalformed},
		{"type 4 badly signed", put(good, TypeIDSigning, flip(pick(good, TypeIDSigning))), now, ErrSignature},
		{"type 4 expired", put(good, TypeIDSigning, edit4(past)), now, ErrExpired},
		{"type 4 says that it is of another type", put(good, TypeIDSigning, edit4(func(c *Cert) { c.Type = TypeSigningAuth })), now, ErrType},
		{"type 4 is not about an Ed25519 key", put(good, TypeIDSigning, edit4(func(c *Cert) { c.KeyType = KeyX509SHA256 })), now, ErrType},
		{"type 4 names no identity", put(good, TypeIDSigning, edit4(func(c *Cert) { c.SignedWith = nil })), now, ErrMissing},
		{"type 4 of somebody else", put(good, TypeIDSigning, pick(b.responder, TypeIDSigning)), now, ErrWrongKey},
		{"type 4 about another signing key", put(good, TypeIDSigning, edit4(func(c *Cert) { c.Key = b.keys.IDCert.Key })), now, ErrSignature},

		{"last certificate garbage", put(good, last, []byte("garbage")), now, ErrMalformed},
		{"last certificate badly signed", put(good, last, flip(pick(good, last))), now, ErrSignature},
		{"last certificate expired", put(good, last, editLast(past)), now, ErrExpired},
		{"last certificate says that it is of another type", put(good, last, editLast(func(c *Cert) { c.Type = TypeHSSigning })), now, ErrType},
		{"last certificate about an RSA key", put(good, last, editLast(func(c *Cert) { c.KeyType = KeyRSASHA256 })), now, ErrType},
		{"last certificate by the identity key", put(good, last, mustSign(t, *lastCert, a.identity)), now, ErrSignature},
		{"last certificate by another key", put(good, last, mustSign(t, *lastCert, b.keys.Signing)), now, ErrSignature},

		{"RSA identity garbage", put(good, TypeRSAIdentity, []byte("garbage")), now, ErrMalformed},
		{"RSA identity with a byte more", put(good, TypeRSAIdentity, append(bytes.Clone(pick(good, TypeRSAIdentity)), 0)), now, ErrMalformed},
		{"RSA identity badly signed", put(good, TypeRSAIdentity, flip(pick(good, TypeRSAIdentity))), now, ErrSignature},
		{"RSA identity of somebody else", put(good, TypeRSAIdentity, pick(b.responder, TypeRSAIdentity)), now, ErrSignature},
		{"RSA identity signed by somebody else", put(good, TypeRSAIdentity, mustX509(t, rsaPub, b.keys.RSA, now, identityLifetime)), now, ErrSignature},
		{"RSA identity of 2048 bits", put(good, TypeRSAIdentity, mustX509(t, &a.tlsKey.PublicKey, a.tlsKey, now, identityLifetime)), now, ErrWrongKey},
		{"RSA identity that is not RSA", put(good, TypeRSAIdentity, mustX509(t, &ec.PublicKey, a.keys.RSA, now, identityLifetime)), now, ErrWrongKey},
		{"RSA identity expired", put(good, TypeRSAIdentity, mustX509(t, rsaPub, a.keys.RSA, now.Add(-30*24*time.Hour), 48*time.Hour)), now, ErrExpired},
		{"RSA identity from the future", put(good, TypeRSAIdentity, mustX509(t, rsaPub, a.keys.RSA, now.Add(33*24*time.Hour), 48*time.Hour)), now, ErrNotYetValid},

		{"cross-certificate garbage", put(good, TypeRSACross, []byte("garbage")), now, ErrMalformed},
		{"cross-certificate badly signed", put(good, TypeRSACross, flip(pick(good, TypeRSACross))), now, ErrSignature},
		{"cross-certificate expired", put(good, TypeRSACross, mustCross(t, RSACrosscert{Ed: idKey, Expires: now.Add(-time.Hour)}, a.keys.RSA)), now, ErrExpired},
		{"cross-certificate of somebody else", put(good, TypeRSACross, pick(b.responder, TypeRSACross)), now, ErrWrongKey},
		{"cross-certificate by somebody else", put(good, TypeRSACross, mustCross(t, RSACrosscert{Ed: idKey, Expires: now}, b.keys.RSA)), now, ErrSignature},
		{"RSA identity and cross-certificate of somebody else",
			put(put(good, TypeRSAIdentity, pick(b.responder, TypeRSAIdentity)), TypeRSACross, pick(b.responder, TypeRSACross)), now, ErrWrongKey},

		{"three years later", good, now.AddDate(3, 0, 0), ErrExpired},
		{"nothing at all", nil, now, ErrMissing},
	}
	for _, typ := range []uint8{TypeRSALink, TypeRSAIdentity, TypeRSAAuth, TypeIDSigning, TypeSigningLink, TypeSigningAuth, TypeRSACross} {
		twice := append(drop(good, typ), Entry{typ, []byte("one")}, Entry{typ, []byte("two")})
		cases = append(cases, hostile{"two of type " + string('0'+typ), twice, now, ErrDuplicate})
	}
	for _, typ := range []uint8{TypeRSAIdentity, last, TypeRSACross} {
		cases = append(cases, hostile{"without type " + string('0'+typ), drop(good, typ), now, ErrMissing})
	}
	return cases
}

func TestHostileResponder(t *testing.T) {
	a, b := peers(t)
	certs := drop(a.responder, TypeIDSigning)
	for _, c := range append(commonCases(t, a, b, a.responder, TypeSigningLink), []hostile{
		{"certificates for another TLS certificate", put(a.responder, TypeSigningLink,
			mustSign(t, Cert{Type: TypeSigningLink, KeyType: KeyX509SHA256, Key: sha256.Sum256(b.tls), Expires: now}, a.keys.Signing)), now, ErrOtherTLSCert},
		{"those of an initiator", a.initiator, now, ErrMissing},
		{"RSA alone, link certificate missing", drop(certs, TypeRSALink), now, ErrMissing},
		{"RSA alone, identity missing", drop(certs, TypeRSAIdentity), now, ErrMissing},
		{"RSA alone, link certificate garbage", put(certs, TypeRSALink, []byte("garbage")), now, ErrMalformed},
		{"RSA alone, link certificate badly signed", put(certs, TypeRSALink, flip(a.tls)), now, ErrSignature},
		{"RSA alone, link certificate by somebody else", put(certs, TypeRSALink, mustX509(t, &a.tlsKey.PublicKey, b.keys.RSA, now, linkLifetime)), now, ErrSignature},
		{"RSA alone, link certificate for another key", put(certs, TypeRSALink, mustX509(t, &b.tlsKey.PublicKey, a.keys.RSA, now, linkLifetime)), now, ErrOtherTLSCert},
		{"RSA alone, link certificate expired", put(certs, TypeRSALink, mustX509(t, &a.tlsKey.PublicKey, a.keys.RSA, now.AddDate(-1, 0, 0), 48*time.Hour)), now, ErrExpired},
		{"RSA alone, three years later", certs, now.AddDate(3, 0, 0), ErrExpired},
	}...) {
		t.Run(c.name, func(t *testing.T) {
			ids, err := CheckResponder(c.certs, a.tls, c.at)
			if !errors.Is(err, c.want) || ids != (Identities{}) {
				t.Errorf("got %+v, error %v, want %v", ids, err, c.want)
			}
		})
	}
	for name, tls := range map[string][]byte{"of somebody else": b.tls, "empty": nil} {
		if _, err := CheckResponder(a.responder, tls, now); !errors.Is(err, ErrOtherTLSCert) {
			t.Errorf("TLS certificate %s: got error %v, want %v", name, err, ErrOtherTLSCert)
		}
	}
	if _, err := CheckResponder(certs, []byte("garbage"), now); !errors.Is(err, ErrMalformed) {
		t.Errorf("RSA alone, TLS certificate garbage: got error %v, want %v", err, ErrMalformed)
	}
}

func TestHostileInitiator(t *testing.T) {
	a, b := peers(t)
	for _, c := range append(commonCases(t, a, b, a.initiator, TypeSigningAuth), []hostile{
		{"those of a responder", a.responder, now, ErrMissing},
		{"RSA alone", drop(a.initiator, TypeIDSigning, TypeSigningAuth, TypeRSACross), now, ErrMissing},
		{"key type of a TLS certificate", put(a.initiator, TypeSigningAuth,
			mustSign(t, Cert{Type: TypeSigningAuth, KeyType: KeyX509SHA256, Expires: now}, a.keys.Signing)), now, ErrType},
	}...) {
		t.Run(c.name, func(t *testing.T) {
			ids, auth, err := CheckInitiator(c.certs, c.at)
			if !errors.Is(err, c.want) || ids != (Identities{}) || auth != nil {
				t.Errorf("got %+v, error %v, want %v", ids, err, c.want)
			}
		})
	}
}

// The clocks of relays are off by some days, and X.509 certificates live with it.
func TestSlop(t *testing.T) {
	a, _ := peers(t)
	cert := mustX509(t, &a.keys.RSA.PublicKey, a.keys.RSA, now, 48*time.Hour)
	start := now.Truncate(24 * time.Hour)
	for _, c := range []struct {
		name string
		at   time.Time
		want error
	}{
		{"30 days early", start.Add(-futureSlop), nil},
		{"earlier", start.Add(-futureSlop - time.Second), ErrNotYetValid},
		{"2 days late", start.Add(48*time.Hour + pastSlop), nil},
		{"later", start.Add(48*time.Hour + pastSlop + time.Second), ErrExpired},
	} {
		if _, err := checkRSAIdentity(cert, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
		}
	}
}

func TestX509LooksLikeThatOfTor(t *testing.T) {
	a, _ := peers(t)
	for range 50 {
		cert, err := x509.ParseCertificate(mustX509(t, &a.keys.RSA.PublicKey, a.keys.RSA, now, linkLifetime))
		if err != nil {
			t.Fatal(err)
		}
		left := cert.NotAfter.Sub(now)
		if cert.Version != 3 || len(cert.Extensions) != 0 || cert.SerialNumber.BitLen() > 64 ||
			cert.NotBefore.After(now) || left < 24*time.Hour || cert.NotAfter.Sub(cert.NotBefore) != linkLifetime ||
			cert.NotBefore.Truncate(24*time.Hour) != cert.NotBefore {
			t.Fatalf("version %d, extensions %v, serial %v, from %v to %v", cert.Version, cert.Extensions, cert.SerialNumber, cert.NotBefore, cert.NotAfter)
		}
		if !bytes.Contains(cert.RawSubject, []byte("\x0c\x0fwww.example.net")) || !bytes.Contains(cert.RawIssuer, []byte("\x0c\x0fwww.example.com")) {
			t.Fatalf("names are no UTF8String: %x, %x", cert.RawSubject, cert.RawIssuer)
		}
		if cert.Subject.String() != "CN=www.example.net" || cert.Issuer.String() != "CN=www.example.com" {
			t.Fatalf("subject %v, issuer %v", cert.Subject, cert.Issuer)
		}
	}
	if _, err := a.keys.Initiator(bytes.NewReader(nil), a.auth, now); err == nil {
		t.Error("certificates without randomness")
	}
}

// FuzzCheckResponder changes one certificate of a good set.
func FuzzCheckResponder(f *testing.F) {
	a, _ := peers(f)
	for _, e := range a.responder {
		f.Add(e.Type, e.Body)
	}
	f.Fuzz(func(t *testing.T, typ uint8, body []byte) {
		ids, err := CheckResponder(put(a.responder, typ, body), a.tls, now)
		if err == nil && ids != a.ids() {
			t.Errorf("type %d changed to %x: got %+v", typ, body, ids)
		}
	})
}
