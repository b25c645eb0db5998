package relaykeys

import (
	"crypto/ed25519"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

func TestNewRelay(t *testing.T) {
	var m statefile.Mem
	k, r, err := Load(Config{Nickname: "Nick", Bridge: true}, &m, start)
	if err != nil || !r.NewRelay || len(r.Warnings) != 0 {
		t.Fatalf("got %+v, %v", r, err)
	}
	for _, name := range allFiles {
		read(t, &m, name)
	}
	s := k.Current()
	fp, err := keyfile.ParseFingerprint(read(t, &m, "fingerprint"))
	if err != nil || fp != (keyfile.Fingerprint{Nickname: "Nick", RSA: s.Fingerprint()}) {
		t.Errorf("fingerprint: got %v, %v", fp, err)
	}
	hashed, err := keyfile.ParseFingerprint(read(t, &m, "hashed-fingerprint"))
	if err != nil || hashed.RSA != sha1.Sum(fp.RSA[:]) {
		t.Errorf("hashed-fingerprint: got %v, %v", hashed, err)
	}
	ed, err := keyfile.ParseEdFingerprint(read(t, &m, "fingerprint-ed25519"))
	if err != nil || ed != (keyfile.EdFingerprint{Nickname: "Nick", Ed: s.Ed()}) {
		t.Errorf("fingerprint-ed25519: got %v, %v", ed, err)
	}
	if life := k.SigningExpires().Sub(start); life < 30*day || life > 30*day+time.Hour {
		t.Errorf("signing key lives for %v", life)
	}
	if bits := s.Link().TLS.PrivateKey.(interface{ Size() int }).Size() * 8; bits != tlsBits {
		t.Errorf("TLS key has %d bits", bits)
	}
}

func TestRestart(t *testing.T) {
	m := relay(t)
	before := mustSnapshot(t, m, start)
	k, r := mustLoad(t, Config{}, m, start.Add(time.Hour))
	after := k.Current()
	if r.NewRelay || len(r.Warnings) != 0 {
		t.Errorf("got %+v", r)
	}
	if before.Fingerprint() != after.Fingerprint() || before.Ed() != after.Ed() || before.Signing().ID() != after.Signing().ID() ||
		before.OnionKeys()[0].Public() != after.OnionKeys()[0].Public() {
		t.Error("another key than before")
	}
	for name, b := range template() {
		if !slices.Equal(read(t, m, name), b) {
			t.Errorf("%s was changed", name)
		}
	}
}

func mustSnapshot(t testing.TB, m statefile.Store, now time.Time) *Snapshot {
	t.Helper()
	k, _ := mustLoad(t, Config{}, m, now)
	return k.Current()
}

// Both sides of a handshake accept what a snapshot has for it.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html#CERTS-cells
func TestLinkCerts(t *testing.T) {
	s := mustSnapshot(t, relay(t), start)
	want := torcert.Identities{RSA: s.Fingerprint(), Ed: s.Ed(), HasEd: true}
	check := func(name string, ids torcert.Identities, err error) {
		t.Helper()
		ids.RSA256 = [32]byte{}
		if err != nil || ids != want {
			t.Errorf("%s: got %+v, %v", name, ids, err)
		}
	}
	der := s.Link().TLS.Certificate[0]
	for _, now := range []time.Time{start, start.Add(linkRotation)} {
		ids, err := torcert.CheckResponder(s.Link().Responder, der, now)
		check("responder", ids, err)
	}
	ids, auth, err := torcert.CheckInitiator(s.Link().Initiator, start.Add(linkLifetime-linkSlop))
	check("initiator", ids, err)
	if s.Link().Auth.ID() != [32]byte(auth) {
		t.Error("authentication key is not the certified one")
	}
	types := func(certs []torcert.Entry) string {
		var list []uint8
		for _, c := range certs {
			list = append(list, c.Type)
		}
		return fmt.Sprint(list)
	}
	if got := types(s.Link().Responder); got != "[1 2 4 5 7]" {
		t.Errorf("responder: types %s", got)
	}
	if got := types(s.Link().Initiator); got != "[2 4 6 7]" {
		t.Errorf("initiator: types %s", got)
	}
}

// A descriptor that is made with a snapshot's keys is a good one.
func TestDescriptor(t *testing.T) {
	families := Families{Dir: familyDir(t, "a", "b"), All: true}
	k, _ := mustLoad(t, Config{Families: families}, relay(t), start)
	s := k.Current()
	for _, tap := range []bool{true, false} {
		d := &routerdesc.Descriptor{Nickname: "Nick", OR: netip.MustParseAddrPort("192.0.2.1:9001"), Published: start, Platform: "test", Protocols: "Relay=2"}
		text, err := routerdesc.Make(d, s.Descriptor(tap))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"family-cert", "ntor-onion-key-crosscert", "router-sig-ed25519"} {
			if !strings.Contains(string(text), "\n"+want) {
				t.Errorf("no %s", want)
			}
		}
		if strings.Contains(string(text), "\nonion-key\n") != tap {
			t.Errorf("RSA onion key: %v is not so", tap)
		}
	}
	if len(s.FamilyIDs()) != 2 {
		t.Errorf("families: %x", s.FamilyIDs())
	}
}

// Nothing that one may print shows a secret.
func TestNothingSecretPrinted(t *testing.T) {
	k, r := mustLoad(t, Config{}, relay(t), start)
	s := k.Current()
	onion := s.OnionKeys()[0].Secret()
	secrets := [][]byte{onion[:], s.RSA().Key().D.Bytes(), s.RSA().Key().Primes[0].Bytes(), template()["keys/ed25519_signing_secret_key"][keyfile.HeaderLen:]}
	for _, v := range []any{s, *s, s.Link(), *s.Link(), s.Signing(), s.RSA(), r, s.OnionKeys(), struct{ s Snapshot }{*s}, struct{ l Link }{*s.Link()}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
			out := fmt.Sprintf(verb, v)
			for _, secret := range secrets {
				for _, form := range []string{string(secret), hex.EncodeToString(secret), strings.Trim(fmt.Sprint(secret), "[]"), s.RSA().Key().D.String()} {
					if strings.Contains(out, form) {
						t.Fatalf("%s of %T prints a secret", verb, v)
					}
				}
			}
		}
	}
}

// Three months of a relay: what happens when, without a need for anything else than Next and Advance.
func TestMonths(t *testing.T) {
	m := relay(t)
	k, _ := mustLoad(t, Config{OnionRotated: start}, m, start)
	first := k.Current()
	var signing, rotated, expired []int // days
	links := 0
	const days = 100
	end := start.Add(days * day)
	for now := start; now.Before(end); {
		next := k.Next(now)
		if !next.After(now) {
			t.Fatalf("at %v the next deadline is %v", now, next)
		}
		now = next
		r := advance(t, k, now)
		on := int(now.Sub(start) / day)
		switch {
		case !r.Changed() && !now.Equal(next):
			t.Fatalf("at %v: nothing", now)
		case r.Signing:
			signing = append(signing, on)
		}
		if r.Rotated {
			rotated = append(rotated, on)
		} else if r.Onion {
			expired = append(expired, on)
		}
		if r.Link {
			links++
		}
		s := k.Current()
		if _, err := torcert.CheckResponder(s.Link().Responder, s.Link().TLS.Certificate[0], now); err != nil {
			t.Fatalf("at %v: %v", now, err)
		}
		if _, _, err := torcert.CheckInitiator(s.Link().Initiator, now); err != nil {
			t.Fatalf("at %v: %v", now, err)
		}
		if s.Fingerprint() != first.Fingerprint() || s.Ed() != first.Ed() {
			t.Fatal("another identity")
		}
	}
	if want := []int{28, 56, 84}; !slices.Equal(rotated, want) {
		t.Errorf("onion keys were replaced on days %v, want %v", rotated, want)
	}
	if want := []int{35, 63, 91}; !slices.Equal(expired, want) {
		t.Errorf("old onion keys ended on days %v, want %v", expired, want)
	}
	if want := []int{29, 58, 87}; !slices.Equal(signing, want) {
		t.Errorf("signing keys were replaced on days %v, want %v", signing, want)
	}
	if links < days*12 || links > days*12+days {
		t.Errorf("link keys were replaced %d times", links)
	}
	if again := mustSnapshot(t, m, end); again.Ed() != first.Ed() || again.Signing().ID() != k.Current().Signing().ID() {
		t.Error("another key after a restart")
	}
}

// The clock may be wrong at first: what was made in the future does not stay.
func TestClockJumpsBack(t *testing.T) {
	m := relay(t)
	future := start.Add(1000 * day)
	k, _ := mustLoad(t, Config{OnionRotated: future}, m, future)
	if !k.OnionRotated().Equal(future) {
		t.Errorf("rotated at %v", k.OnionRotated())
	}
	r := advance(t, k, start)
	if !r.Link || !k.OnionRotated().Equal(start) {
		t.Errorf("got %+v, rotated %v", r, k.OnionRotated())
	}
	der := k.Current().Link().TLS.Certificate[0]
	if _, err := torcert.CheckResponder(k.Current().Link().Responder, der, start); err != nil {
		t.Error(err)
	}
}

// Readers take snapshots while the owner replaces keys.
func TestConcurrentSnapshots(t *testing.T) {
	k, _ := mustLoad(t, Config{}, relay(t), start)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			s := k.Current()
			sig, err := s.Signing().Sign(nil, []byte("m"), nil)
			if err != nil || !ed25519.Verify(s.SigningCert().Key[:], []byte("m"), sig) {
				t.Errorf("signature: %v", err)
				return
			}
		}
	}()
	for i := range 20 {
		advance(t, k, start.Add(time.Duration(i)*10*day))
	}
	close(stop)
	<-done
}

// A test network has its link keys and authentication keys live for as long as it says.
func TestShortLinkKeys(t *testing.T) {
	m := relay(t)
	cfg := Config{LinkCertLifetime: time.Hour, LinkKeySlop: 10 * time.Minute, AuthKeyLifetime: 90 * time.Minute, AuthKeySlop: 20 * time.Minute}
	k, _ := mustLoad(t, cfg, m, start)
	first := k.Current().Link()
	for _, tt := range []struct {
		after      time.Duration
		link, auth bool // are new
	}{
		{49 * time.Minute, false, false},
		{50 * time.Minute, true, false},
		{70 * time.Minute, true, true},
	} {
		if _, err := k.Advance(start.Add(tt.after)); err != nil {
			t.Fatal(err)
		}
		l := k.Current().Link()
		if (l != first) != tt.link || (l.Auth != first.Auth) != tt.auth {
			t.Errorf("after %v: new TLS certificate %v, new authentication key %v", tt.after, l != first, l.Auth != first.Auth)
		}
	}
	if _, err := torcert.CheckResponder(first.Responder, first.TLS.Certificate[0], start.Add(2*time.Hour)); err == nil { // they end with an hour
		t.Error("the certificate of a link key outlives its hour")
	}
	if _, _, err := torcert.CheckInitiator(first.Initiator, start.Add(150*time.Minute)); err == nil {
		t.Error("the certificate of an authentication key outlives 90 minutes")
	}
}
