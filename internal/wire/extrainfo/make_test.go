package extrainfo_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

func TestMake(t *testing.T) {
	r := extrainfotest.New("nick")
	parts := [][]byte{[]byte("transport obfs4 192.0.2.1:443\n"), nil, []byte("dirreq-stats-end x\ndirreq-v3-ips \n")}
	d, err := extrainfo.Make("nick", published, r.Keys(published), parts)
	if err != nil {
		t.Fatal(err)
	}
	if d.Nickname != "nick" || d.RSA != r.RSA || !d.Published.Equal(published) {
		t.Errorf("got %+v", d)
	}
	var keywords []string
	s := netdoc.NewScanner(d.Text, netdoc.Options{})
	for s.Next() {
		keywords = append(keywords, string(s.Item().Keyword))
	}
	want := "extra-info identity-ed25519 published transport dirreq-stats-end dirreq-v3-ips router-sig-ed25519 router-signature"
	if got := strings.Join(keywords, " "); got != want {
		t.Errorf("got items %s, want %s (%s)", got, want, spec)
	}
}

// What is in the middle of C tor's documents is the same in ours.
func TestMakeLikeCTor(t *testing.T) {
	r := extrainfotest.New("nick")
	for _, pair := range pairs(ctorStatistics) {
		_, rest, _ := bytes.Cut(pair[1], []byte("\npublished "))
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
		part, _, _ := bytes.Cut(rest, []byte("router-sig-ed25519 "))
		d, err := extrainfo.Make("nick", published, r.Keys(published), [][]byte{part})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(d.Text, append([]byte("\npublished 2026-08-20 01:02:03\n"), part...)) {
			t.Errorf("got\n%s", d.Text)
		}
	}
}

// A document of full length is taken, and no part stays that is behind one which does not fit.
func TestMakeDrops(t *testing.T) {
	r := extrainfotest.New("nick")
	part := func(name string, size int) []byte {
		return fmt.Appendf(nil, "%s %s\n", name, strings.Repeat("x", size-len(name)-2))
	}
	for _, tt := range []struct {
		name  string
		sizes []int
		kept  int
	}{
		{"nothing", nil, 0},
		{"fits", []int{20000, 20000, 9000}, 3},
		{"last", []int{20000, 20000, 10000}, 2},
		{"all behind", []int{20000, 30000, 10}, 1},
		{"first", []int{50000}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var parts [][]byte
			for i, size := range tt.sizes {
				parts = append(parts, part(fmt.Sprintf("part%d", i), size))
			}
			d, err := extrainfo.Make("nick", published, r.Keys(published), parts)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Text) > extrainfo.MaxUpload {
				t.Errorf("%d bytes", len(d.Text))
			}
			for i := range parts {
				if got, want := bytes.Contains(d.Text, parts[i]), i < tt.kept; got != want {
					t.Errorf("part %d is there: %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestMakeRefuses(t *testing.T) {
	r, other := extrainfotest.New("nick"), extrainfotest.New("other")
	large, err := rsa.GenerateKey(rand.Reader, 1032)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		nickname, part string
		change         func(k *extrainfo.Keys)
		want           error
	}{
		"nickname":                 {nickname: "ni.ck", want: extrainfo.ErrNickname},
		"nickname of two words":    {nickname: "ni ck", want: netdoc.ErrUnsafe},
		"part without end of line": {part: "read-history", want: netdoc.ErrMissing},
		"part that ends it all": {part: "router-signature\n-----BEGIN SIGNATURE-----\nAAAA\n-----END SIGNATURE-----\n",
			want: netdoc.ErrMisplaced},
		"part of another document": {part: "extra-info x y\n", want: netdoc.ErrTooMany},
		"item twice":               {part: "read-history\nread-history\n", want: netdoc.ErrTooMany},
		"another signing key": {change: func(k *extrainfo.Keys) { k.Signing = other.Keys(published).Signing },
			want: extrainfo.ErrSignature},
		"certificate without key": {change: func(k *extrainfo.Keys) {
			k.SigningCert = resign(t, k.SigningCert, func(c *torcert.Cert) { c.SignedWith = nil })
		}, want: torcert.ErrMissing},
		"certificate of a link key": {change: func(k *extrainfo.Keys) {
			k.SigningCert = resign(t, k.SigningCert, func(c *torcert.Cert) { c.Type = torcert.TypeSigningLink })
		}, want: torcert.ErrType},
		"large identity": {change: func(k *extrainfo.Keys) { k.Identity = large }, want: netdoc.ErrBadObject},
	} {
		t.Run(name, func(t *testing.T) {
			keys := r.Keys(published)
			if tt.change != nil {
				tt.change(keys)
			}
			nickname := "nick"
			if tt.nickname != "" {
				nickname = tt.nickname
			}
			if _, err := extrainfo.Make(nickname, published, keys, [][]byte{[]byte(tt.part)}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// resign signs a changed certificate anew.
func resign(t *testing.T, c *torcert.Cert, change func(*torcert.Cert)) *torcert.Cert {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := *c
	changed.SignedWith = (*[32]byte)(pub)
	change(&changed)
	signed, err := changed.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
