package authkeys

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

var start = time.Date(2026, 8, 20, 12, 30, 0, 0, time.UTC)

// files makes the files of an authority, by name without directory.
func files(t *testing.T, prefix string) map[string][]byte {
	t.Helper()
	identity, signing := key(t), key(t)
	text, err := authcert.Make(identity.Key(), signing.Key(), start, start.AddDate(0, 3, 0), netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		prefix + "_certificate": text, prefix + "_signing_key": pem(t, signing), prefix + "_identity_key": pem(t, identity),
	}
}

func key(t *testing.T) *keyfile.RSASecret {
	t.Helper()
	k, err := keyfile.GenerateRSA(rsakey.RelayBits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pem(t *testing.T, k *keyfile.RSASecret) []byte {
	t.Helper()
	b, err := k.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, s statefile.Store, prefix string, files map[string][]byte, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.WriteWhole(prefix+name, files[name]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoad(t *testing.T) {
	own, legacy := files(t, "authority"), files(t, "legacy")
	var data, keys statefile.Mem
	put(t, &data, "keys/", own, "authority_certificate", "authority_signing_key")
	put(t, &keys, "", own, "authority_certificate", "authority_signing_key", "authority_identity_key")
	put(t, &keys, "", legacy, "legacy_certificate", "legacy_signing_key")

	for _, tt := range []struct {
		name         string
		cfg          Config
		legacy, here bool
	}{
		{"data directory", Config{}, false, false},
		{"key directory", Config{KeyDirectory: &keys}, false, true},
		{"legacy", Config{KeyDirectory: &keys, Legacy: true}, true, true},
	} {
		k, err := Load(tt.cfg, &data)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		s := k.Current()
		if !s.Signing.Public().Equal(s.Cert.Signing) || s.IdentityHere != tt.here || (s.Legacy != nil) != tt.legacy {
			t.Errorf("%s: got %+v", tt.name, s)
		}
		if s.Legacy != nil && s.Legacy.Cert.Fingerprint == s.Cert.Fingerprint {
			t.Errorf("%s: legacy keys are the others", tt.name)
		}
	}
}

func TestLoadBad(t *testing.T) {
	own, other := files(t, "authority"), files(t, "authority")
	for _, tt := range []struct {
		name   string
		change map[string][]byte // nil removes
		legacy bool
		want   error
	}{
		{"no key", map[string][]byte{"authority_signing_key": nil}, false, fs.ErrNotExist},
		{"no certificate", map[string][]byte{"authority_certificate": nil}, false, fs.ErrNotExist},
		{"no legacy keys", nil, true, fs.ErrNotExist},
		{"legacy keys are the same", map[string][]byte{"legacy_signing_key": own["authority_signing_key"], "legacy_certificate": own["authority_certificate"]}, true, ErrSame},
		{"other certificate", map[string][]byte{"authority_certificate": other["authority_certificate"]}, false, ErrMismatch},
		{"other identity", map[string][]byte{"authority_identity_key": other["authority_identity_key"]}, false, ErrIdentity},
		{"no key file", map[string][]byte{"authority_signing_key": []byte("x")}, false, keyfile.ErrFormat},
		{"cut certificate", map[string][]byte{"authority_certificate": own["authority_certificate"][:500]}, false, nil},
	} {
		var m statefile.Mem
		put(t, &m, "keys/", own, "authority_certificate", "authority_signing_key", "authority_identity_key")
		for name, b := range tt.change {
			if err := m.WriteWhole("keys/"+name, b); err != nil {
				t.Fatal(err)
			}
			if b == nil {
				m.Remove("keys/" + name)
			}
		}
		k, err := Load(Config{Legacy: tt.legacy}, &m)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, k.Current(), err, tt.want)
		}
	}
}

func TestReload(t *testing.T) {
	first, second := files(t, "authority"), files(t, "authority")
	var m statefile.Mem
	put(t, &m, "keys/", first, "authority_certificate", "authority_signing_key")
	k, err := Load(Config{}, &m)
	if err != nil {
		t.Fatal(err)
	}
	before := k.Current()
	put(t, &m, "keys/", second, "authority_signing_key")
	if err := k.Reload(); !errors.Is(err, ErrMismatch) || k.Current() != before {
		t.Errorf("half a change: got %v", err)
	}
	put(t, &m, "keys/", second, "authority_certificate")
	if err := k.Reload(); err != nil || k.Current().Cert.Fingerprint == before.Cert.Fingerprint {
		t.Errorf("a whole change: got %v", err)
	}
}

func TestUsable(t *testing.T) {
	s := Set{Cert: &authcert.Cert{Published: start, Expires: start.Add(time.Hour)}}
	for at, want := range map[time.Duration]error{-time.Second: ErrEarly, 0: nil, time.Hour - 1: nil, time.Hour: ErrExpired} {
		if err := s.Usable(start.Add(at)); !errors.Is(err, want) {
			t.Errorf("after %v: got %v, want %v", at, err, want)
		}
	}
}

// An authority that nobody looks after: what is said in the last weeks of its certificate, with a look each five minutes.
func TestExpiry(t *testing.T) {
	var e Expiry
	expires := start.Add(40 * day)
	var got []string
	for now := start; now.Before(expires.Add(90 * time.Minute)); now = now.Add(CheckInterval) {
		if w, ok := e.Check(expires, now); ok {
			left := expires.Sub(now)
			got = append(got, fmt.Sprintf("%v %v", left, w.Level))
			if (w.Level == slog.LevelError) != (left <= 0) || w.Text == "" {
				t.Errorf("%v before: %+v", left, w)
			}
		}
	}
	want := []string{"720h0m0s WARN", "600h0m0s WARN", "480h0m0s WARN", "360h0m0s WARN", "240h0m0s WARN"}
	for h := 168; h > 24; h -= 24 {
		want = append(want, fmt.Sprintf("%dh0m0s WARN", h))
	}
	for h := 24; h > 0; h-- {
		want = append(want, fmt.Sprintf("%dh0m0s WARN", h))
	}
	want = append(want, "0s ERROR", "-1h0m0s ERROR")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestExpiryText(t *testing.T) {
	for left, want := range map[time.Duration]string{
		-1:               "Your v3 authority certificate has expired. Generate a new one NOW.",
		90 * time.Minute: "Your v3 authority certificate expires in 1 hours; Generate a new one NOW.",
		50 * time.Hour:   "Your v3 authority certificate expires in 2 days; Generate a new one soon.",
	} {
		var e Expiry
		if w, ok := e.Check(start.Add(left), start); !ok || w.Text != want {
			t.Errorf("%v before: got %q, want %q", left, w.Text, want)
		}
	}
}
