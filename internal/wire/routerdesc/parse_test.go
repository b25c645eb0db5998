package routerdesc

import (
	_ "embed"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

var (
	// akka is of a public relay of 2022, with an IPv6 address and a list of family members.
	//go:embed testdata/akka.txt
	akka []byte
	// twoFamilies is Arti's test of family certificates, made by C tor 0.4.9.1.
	//go:embed testdata/two-families.txt
	twoFamilies []byte
	// withoutFamily is from C tor's src/test/test_microdesc.c.
	//go:embed testdata/without-family.txt
	withoutFamily []byte
	// cached is a file "cached-descriptors.new" that C tor 0.4.9.6 wrote in a test network.
	//go:embed testdata/cached-descriptors.txt
	cached []byte
	//go:embed testdata/ctor.txt
	ctor []byte
)

func unhex20(t testing.TB, s string) [20]byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 20 {
		t.Fatal(s)
	}
	return [20]byte(b)
}

func unbase64(t testing.TB, s string) (d [32]byte) {
	t.Helper()
	if err := netdoc.ParseBase64(d[:], []byte(s)); err != nil {
		t.Fatal(err)
	}
	return d
}

// https://spec.torproject.org/dir-spec/server-descriptor-format.html
func TestParse(t *testing.T) {
	d, err := Parse(akka)
	if err != nil {
		t.Fatal(err)
	}
	identity, onion, text := d.Identity, d.OnionKey, d.Text
	if rsakey.Fingerprint(identity) != d.RSA || rsakey.CheckDER(onion, 1024, 1024) != nil || &text[0] != &akka[0] {
		t.Error("keys or text are wrong")
	}
	d.OnionKey, d.Text = nil, nil
	want := &Descriptor{
		Nickname: "Akka", OR: netip.MustParseAddrPort("95.216.33.58:443"),
		OR6:      netip.MustParseAddrPort("[2a01:4f9:2a:2145::2]:443"),
		Identity: identity, RSA: rsakey.Fingerprint(identity),
		Ed25519:    unbase64(t, "CVTjf1oeaL616hH+1+UvYZ8OgkwF3z7UMITvJzm5r7A"),
		SigningKey: d.SigningKey,
		Ntor:       unbase64(t, "Mps7UpkWEzkuNdGoId1nU+EhBFjswzN/e305v89donM"),
		Published:  time.Date(2022, 11, 14, 19, 58, 52, 0, time.UTC),
		KeysExpire: time.Date(2022, 11, 28, 5, 0, 0, 0, time.UTC),
		Platform:   "Tor 0.4.8.0-alpha-dev on Linux",
		Protocols: "Cons=1-2 Desc=1-2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 " +
			"Microdesc=1-2 Padding=2 Relay=1-4",
		Contact:   "Alexander Faeroey <ahf@0x90.dk> (0x61A208E16E7CB435)",
		Bandwidth: d.Bandwidth, Uptime: d.Uptime, ExtraInfo: d.ExtraInfo, ExtraInfo256: d.ExtraInfo256,
		HSDir: true, DirCache: true,
		Family: []string{"$303509AB910EF207B7438C27435C4A2FD579F1B1", "$56927E61B51E6F363FB55498150A6DDFCF7077F2"},
		Policy: exitpolicy.Policy{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Ports: exitpolicy.AllPorts}},
		Digest: d.Digest,
	}
	if diff := cmp.Diff(want, d, compareValues); diff != "" {
		t.Error(diff)
	}
	if !d.RejectsAll() {
		t.Error("a relay that is no exit seems to be one")
	}

	d, err = Parse(twoFamilies)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs := []string{
		"ed25519:7sToQRuge1bU2hS0CG0ViMndc4m82JhO4B4kdrQey80", "ed25519:szHUS3ItRd9uk85b1UVnOZx1gg4B0266jCpbuIMNjcM",
	}
	if !slices.Equal(d.FamilyIDs, wantIDs) {
		t.Errorf("family %q", d.FamilyIDs)
	}
	if want := time.Unix(721*3600, 0); !d.FamilyExpires.Equal(want) {
		t.Errorf("family certificates expire at %v, want %v", d.FamilyExpires, want)
	}
	if got := d.Policy.Judge(netip.MustParseAddr("18.1.2.3"), 24); got != exitpolicy.Rejected {
		t.Errorf("policy says %v", got)
	}

	d, err = Parse(withoutFamily)
	if err != nil {
		t.Fatal(err)
	}
	if d.RSA != unhex20(t, "D219590AC9513BCDEBBA9AB721007A4CC01BBAE3") || d.OR6.IsValid() || d.DirPort != 7005 || d.FamilyIDs != nil {
		t.Errorf("got %+v", d)
	}
	for e := range doclist.Split(cached, "router") {
		if _, err := Parse(e.Text); err != nil {
			t.Error(err)
		}
	}
}

// What C tor takes and refuses. The file has each descriptor behind a line "-- ok name --" or "-- bad name --".
func TestCTor(t *testing.T) {
	parts := strings.Split(string(ctor), "\n-- ")[1:]
	if len(parts) != 33 {
		t.Fatalf("%d descriptors", len(parts))
	}
	for _, part := range parts {
		name, text, _ := strings.Cut(part, " --\n")
		_, err := Parse([]byte(text + "\n"))
		if strings.HasPrefix(name, "ok ") != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if (name == "bad bad sig1") != errors.Is(err, ErrRouterSignature) {
			t.Errorf("%s: whether another copy may be good is told wrong: %v", name, err)
		}
	}
}

// change replaces text in a descriptor of our own, and signs it again.
func (r *relay) change(t testing.TB, old, new string) []byte {
	t.Helper()
	text := string(r.text)
	if !strings.Contains(text, old) {
		t.Fatalf("no %q in\n%s", old, text)
	}
	text, _, _ = strings.Cut(strings.Replace(text, old, new, 1), "\n"+kwEdSig)
	m := &maker{Encoder: netdoc.NewEncoder([]byte(text + "\n")), k: &r.keys}
	if err := m.sign(); err != nil {
		t.Fatal(err)
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBad(t *testing.T) {
	r, other := newRelay(t), newRelay(t)
	line := func(r *relay, keyword string) string {
		i := strings.Index(string(r.text), "\n"+keyword+" ") + 1
		s, _, _ := strings.Cut(string(r.text[i:]), "\n")
		return s + "\n"
	}
	object := func(r *relay, keyword string) string {
		i := strings.Index(string(r.text), "\n"+keyword) + 1
		n := strings.Index(string(r.text[i:]), "-----END")
		n += strings.Index(string(r.text[i+n:]), "\n") + 1
		return string(r.text[i : i+n])
	}
	family := object(r, "family-cert")
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"no proto", "proto ", "protocols ", ErrObsolete},
		{"nickname", "router Nick", "router Nick_", ErrNickname},
		{"long nickname", "router Nick", "router Nick5678901234567890", ErrNickname},
		{"no address", "192.0.2.1", "example.com", netdoc.ErrBadValue},
		{"address 0.0.0.0", "192.0.2.1", "0.0.0.0", ErrAddress},
		{"port 0", "9001 0 9030", "0 0 9030", ErrAddress},
		{"port too high", "9001 0 9030", "65536 0 9030", netdoc.ErrBadValue},
		{"DirPort too high", "9001 0 9030", "9001 0 65536", netdoc.ErrBadValue},
		{"few arguments", "9001 0 9030", "9001 0", netdoc.ErrMissing},
		{"tab behind router", "router Nick", "router\tNick", ErrPosition},
		{"item before the certificate", "identity-ed25519\n", "x\nidentity-ed25519\n", ErrPosition},
		{"item before", "router Nick", "x\nrouter Nick", netdoc.ErrMisplaced},
		{"no master key", line(r, "master-key-ed25519"), "", netdoc.ErrMissing},
		{"other master key", line(r, "master-key-ed25519"), line(other, "master-key-ed25519"), ErrMismatch},
		{"certificate of another relay", object(r, "identity-ed25519") + line(r, "master-key-ed25519"),
			object(other, "identity-ed25519") + line(other, "master-key-ed25519"), ErrMismatch},
		{"wrong kind of certificate", object(r, "identity-ed25519"),
			"identity-ed25519\n" + cutLine(object(r, "ntor-onion-key-crosscert")), torcert.ErrType},
		{"bad time", "published 2026", "published 26", netdoc.ErrBadValue},
		{"fingerprint of another", line(r, "fingerprint"), line(other, "fingerprint"), ErrMismatch},
		{"short fingerprint", "fingerprint ", "fingerprint 00 ", netdoc.ErrBadValue},
		{"rate 0", "bandwidth 1000", "bandwidth 0", netdoc.ErrBadValue},
		{"negative burst", "bandwidth 1000 2000", "bandwidth 1000 -2000", netdoc.ErrBadValue},
		{"uptime", "uptime ", "uptime -", netdoc.ErrBadValue},
		{"onion key alone", object(r, "onion-key-crosscert"), "", ErrOnionKey},
		{"crosscert alone", object(r, "onion-key"), "", ErrOnionKey},
		{"crosscert of another", object(r, "onion-key-crosscert"), object(other, "onion-key-crosscert"), rsakey.ErrSignature},
		{"identity of another", object(r, "signing-key"), object(other, "signing-key"), ErrMismatch},
		{"ntor crosscert of another", object(r, "ntor-onion-key-crosscert"), object(other, "ntor-onion-key-crosscert"), ErrMismatch},
		{"other ntor key", line(r, "ntor-onion-key"), line(other, "ntor-onion-key"), torcert.ErrSignature},
		{"ntor key without an Ed25519 key", line(r, "ntor-onion-key"),
			"ntor-onion-key 7P///////////////////////////////////////38\n", torcert.ErrWrongKey},
		{"sign bit", "ntor-onion-key-crosscert ", "ntor-onion-key-crosscert 0", netdoc.ErrBadValue},
		{"two sign bits", "ntor-onion-key-crosscert ", "ntor-onion-key-crosscert 0 ", netdoc.ErrTooMany},
		{"family member", "family $", "family %", ErrNickname},
		{"family fingerprint", "family $", "family $x", ErrNickname},
		{"family certificate of another", family, object(other, "family-cert"), ErrMismatch},
		{"identity certificate as family certificate", family,
			"family-cert\n" + strings.ReplaceAll(cutLine(object(r, "identity-ed25519")), tagEdCert, tagFamily), torcert.ErrType},
		{"tag of family certificate", family, strings.ReplaceAll(family, tagFamily, tagEdCert), netdoc.ErrBadObject},
		{"too many families", family, strings.Repeat(family, maxFamilyCerts+1), netdoc.ErrTooMany},
		{"no policy", "accept *:80\nreject *:*\n", "", ErrNoPolicy},
		{"accept6", "accept *:80", "accept6 *:80", exitpolicy.ErrSyntax},
		{"IPv6 in policy", "accept *:80", "accept [::1]:80", exitpolicy.ErrFamily},
		{"port 0 in policy", "accept *:80", "accept *:0", exitpolicy.ErrPort},
		{"two patterns", "accept *:80", "accept *:80 *:81", netdoc.ErrTooMany},
		{"IPv6 policy", "ipv6-policy accept 443", "ipv6-policy accept 0", exitpolicy.ErrPort},
		{"opt at the signature", "reject *:*\n", "reject *:*\nopt " + kwEdSig + " x\n", ErrPosition},
		{"twice", "published ", "published 2026-08-20 01:02:03\npublished ", netdoc.ErrTooMany},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse(r.change(t, tt.old, tt.new)); !errors.Is(err, tt.want) || errors.Is(err, ErrRouterSignature) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name, old, new string
		want           error
	}{
		{"changed", "uptime ", "uptime 1", ErrSignature},
		{"no signature", kwRSASig + "\n", "router-other\n", netdoc.ErrMissing},
		{"two signatures", line(r, kwEdSig), line(r, kwEdSig) + line(r, kwEdSig), netdoc.ErrTooMany},
		{"item between signatures", kwRSASig + "\n", "x\n" + kwRSASig + "\n", ErrPosition},
		{"signature of another", line(r, kwEdSig), line(other, kwEdSig), ErrSignature},
		{"tab before the signature", kwEdSig + " ", kwEdSig + "\t", ErrPosition},
		{"RSA signature of another", object(r, kwRSASig), object(other, kwRSASig), ErrRouterSignature},
		{"item at the end", object(r, kwRSASig), object(r, kwRSASig) + "x\n", netdoc.ErrMisplaced},
		{"annotation", "router Nick", "@source x\nrouter Nick", netdoc.ErrMisplaced},
		{"blank line first", "router Nick", "\nrouter Nick", ErrPosition},
		{"zero byte", "router Nick", "router N\x00ck", netdoc.ErrBadByte},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse([]byte(strings.Replace(string(r.text), tt.old, tt.new, 1))); !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := Parse(make([]byte, MaxLen+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("long: %v", err)
	}
	if _, err := Parse(nil); !errors.Is(err, netdoc.ErrMissing) {
		t.Errorf("empty: %v", err)
	}
}

func cutLine(s string) string {
	_, rest, _ := strings.Cut(s, "\n")
	return rest
}

// What is malformed and does not matter.
func TestTolerated(t *testing.T) {
	r := newRelay(t)
	for name, tt := range map[string]struct {
		old, new string
		ok       func(d *Descriptor) bool
	}{
		"unknown item":        {"reject *:*\n", "reject *:*\nflux-capacitor 1.21 GW\n", func(d *Descriptor) bool { return true }},
		"unknown object":      {"contact ", "x\n-----BEGIN X-----\n-----END X-----\ncontact ", func(d *Descriptor) bool { return true }},
		"opt":                 {"contact ", "opt contact ", func(d *Descriptor) bool { return d.Contact != "" }},
		"extra-info":          {"extra-info-digest ", "extra-info-digest x", func(d *Descriptor) bool { return d.ExtraInfo == [20]byte{} }},
		"address":             {"or-address [2001:db8::1]", "or-address [::]", func(d *Descriptor) bool { return !d.OR6.IsValid() }},
		"second address":      {"or-address ", "or-address 1.2.3.4:5\nor-address ", func(d *Descriptor) bool { return d.OR6.IsValid() }},
		"hibernating":         {"hibernating 1", "hibernating no", func(d *Descriptor) bool { return !d.Hibernating }},
		"IPv6 policy":         {"ipv6-policy accept 443", "ipv6-policy", func(d *Descriptor) bool { return d.Policy6.RejectsAll() }},
		"overload":            {"overload-general 1 ", "overload-general 2 ", func(d *Descriptor) bool { return d.OverloadGeneral.IsZero() }},
		"uptime of ages":      {"uptime ", "uptime 99999999999", func(d *Descriptor) bool { return d.Uptime > 0 }},
		"arguments of a flag": {"hidden-service-dir", "hidden-service-dir 2 3", func(d *Descriptor) bool { return d.HSDir }},
		"private in policy":   {"accept *:80", "accept private:80", func(d *Descriptor) bool { return len(d.Policy) > 2 }},
	} {
		d, err := Parse(r.change(t, tt.old, tt.new))
		if err != nil || !tt.ok(d) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The fuzz target tries each check alone: no fuzzer makes the signature that the next check waits for.
func FuzzParse(f *testing.F) {
	for _, text := range [][]byte{akka, twoFamilies, withoutFamily} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := parser{d: Descriptor{Text: text}}
		if p.parse() != nil {
			return
		}
		for _, check := range []func() error{
			p.verifyIdentity, p.verifyFingerprint, p.verifyNtorCross, p.verifyOnionCross, p.verifyFamily, p.verifyEdSig, p.verify,
		} {
			_ = check()
		}
		d := p.d
		if d.Identity == nil || !d.OR.IsValid() || d.OR.Port() == 0 || len(d.Policy) == 0 || d.Published.IsZero() {
			t.Fatalf("incomplete: %+v", d)
		}
		d.RejectsAll()
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(akka); err != nil {
			b.Fatal(err)
		}
	}
}
