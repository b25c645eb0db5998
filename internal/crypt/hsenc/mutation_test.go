package hsenc

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
)

// A mill makes descriptors of texts that are wrong, as a hostile service can: what is around them is encrypted and signed.
type mill struct {
	tb                   testing.TB
	auth                 *Auth
	outer, middle, inner string // the right texts
	version              Version
}

func newMill(tb testing.TB, clients ...[32]byte) *mill {
	a, err := NewAuth(rand.Reader, sub, clients)
	if err != nil {
		tb.Fatal(err)
	}
	m := &mill{tb: tb, auth: a, version: version(tb)}
	in := sample(tb, 2)
	in.SingleOnion, in.IntroAuth = true, []string{"ed25519"}
	in.PoW = &hsdesc.PoWParams{Seed: [32]byte{1}, Effort: 7, Expires: now}
	text, err := in.AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}
	m.inner = string(text)
	m.middle = m.middleWith(m.inner)
	m.outer = m.outerWith(m.middle)
	return m
}

// middleWith is the middle layer around an inner text.
func (m *mill) middleWith(inner string) string {
	l := layer{purpose: innerString, blinded: pub(blinded), cookie: m.auth.cookie, subcredential: sub, revision: m.version.Revision}
	mid := m.auth.middle
	var err error
	if mid.Encrypted, err = l.seal(rand.Reader, []byte(inner)); err != nil {
		m.tb.Fatal(err)
	}
	text, err := mid.AppendTo(nil)
	if err != nil {
		m.tb.Fatal(err)
	}
	return string(text)
}

// outerWith is the descriptor around a middle text.
func (m *mill) outerWith(middle string) string {
	l := layer{purpose: middleString, blinded: pub(blinded), subcredential: sub, revision: m.version.Revision}
	o := hsdesc.Outer{Lifetime: hsdesc.DefaultLifetime, Cert: m.version.Cert, Revision: m.version.Revision}
	var err error
	if o.Superencrypted, err = l.seal(rand.Reader, pad([]byte(middle))); err != nil {
		m.tb.Fatal(err)
	}
	text, err := o.AppendSigned(nil, signing)
	if err != nil {
		m.tb.Fatal(err)
	}
	return string(text)
}

// sign signs an outer text anew, if there is something to sign.
func sign(outer string) string {
	at := strings.LastIndex(outer, "\nsignature ") + 1
	if at == 0 {
		return outer
	}
	sig := ed25519.Sign(signing, []byte("Tor onion service descriptor sig v3"+outer[:at]))
	return outer[:at] + "signature " + base64.RawStdEncoding.EncodeToString(sig) + "\n"
}

// open does what clients do, and checks what comes of it.
func (m *mill) open(name, text string, client *x25519.KeyPair) (*hsdesc.Inner, error) {
	m.tb.Helper()
	before := strings.Clone(text)
	raw := []byte(text)
	o, err := hsdesc.ParseOuter(raw, size, now)
	if err != nil {
		return nil, err
	}
	in, err := Open(o, sub, client, now)
	if !bytes.Equal(raw, []byte(before)) {
		m.tb.Errorf("%s: the input was changed", name)
	}
	if (in == nil) != (err != nil) {
		m.tb.Errorf("%s: got %+v and %v", name, in, err)
	}
	if in == nil {
		return nil, err
	}
	if len(in.Points) > hsdesc.MaxIntroPoints || in.FlowControl != nil && in.FlowControl.SendmeInc == 0 {
		m.tb.Errorf("%s: got %+v", name, in)
	}
	for _, p := range in.Points {
		if p.AuthCert == nil || p.EncCert == nil || len(p.Specs) == 0 || p.EncKey == [32]byte{} || p.OnionKey == [32]byte{} {
			m.tb.Errorf("%s: got introduction point %+v", name, p)
		}
	}
	return in, err
}

// mutations are ways to spoil a line of a text, an object among them.
var mutations = map[string]func(lines []string, i int) []string{
	"missing": func(l []string, i int) []string { return slices.Delete(slices.Clone(l), i, i+1) },
	"twice":   func(l []string, i int) []string { return slices.Insert(slices.Clone(l), i, l[i]) },
	"often": func(l []string, i int) []string {
		return slices.Insert(slices.Clone(l), i, slices.Repeat([]string{l[i]}, 50)...)
	},
	"first": func(l []string, i int) []string {
		return append([]string{l[i]}, slices.Delete(slices.Clone(l), i, i+1)...)
	},
	"last": func(l []string, i int) []string { return append(slices.Delete(slices.Clone(l), i, i+1), l[i]) },
	"swapped": func(l []string, i int) []string {
		l = slices.Clone(l)
		j := (i + 1) % len(l)
		l[i], l[j] = l[j], l[i]
		return l
	},
	"no arguments": edited(func(s string) string { s, _, _ = strings.Cut(s, " "); return s }),
	"more arguments": edited(func(s string) string {
		return s + " AAAA 1 2"
	}),
	"last argument cut":       edited(func(s string) string { return s[:len(s)-min(len(s), 1)] }),
	"last argument oversized": edited(func(s string) string { return s + strings.Repeat("A", 5000) }),
	"argument empty": edited(func(s string) string {
		return strings.Replace(s, " ", "  ", 1)
	}),
	"wrong base64":    edited(func(s string) string { return s + "$%" }),
	"padding":         edited(func(s string) string { return s + "=" }),
	"NUL":             edited(func(s string) string { return s + "\x00" }),
	"not UTF-8":       edited(func(s string) string { return s[:len(s)/2] + "\xff\xfe" + s[len(s)/2:] }),
	"carriage return": edited(func(s string) string { return s + "\r" }),
	"tab":             edited(func(s string) string { return strings.Replace(s, " ", "\t", 1) }),
	"upper case":      edited(strings.ToUpper),
	"numbers huge": edited(func(s string) string {
		return strings.NewReplacer("1", "99999999999999999999", "7", "-7").Replace(s)
	}),
	"blank line before": func(l []string, i int) []string { return slices.Insert(slices.Clone(l), i, "") },
	"cut off here":      func(l []string, i int) []string { return slices.Clone(l[:i]) },
	"object before": func(l []string, i int) []string {
		return slices.Insert(slices.Clone(l), i, "-----BEGIN MESSAGE-----", "AAAA", "-----END MESSAGE-----")
	},
	"unknown before": func(l []string, i int) []string { return slices.Insert(slices.Clone(l), i, "hello world") },
	"bit":            edited(func(s string) string { return s[:len(s)/2] + string(s[len(s)/2:][0]^1) + s[len(s)/2:][1:] }),
}

func edited(f func(string) string) func([]string, int) []string {
	return func(l []string, i int) []string {
		l = slices.Clone(l)
		if l[i] != "" {
			l[i] = f(l[i])
		}
		return l
	}
}

// Whatever a service writes in any of the layers, clients get what they can use, or an ordinary error (C tor's TROVE-2026-013 and -015).
//
// https://spec.torproject.org/rend-spec/hsdesc.html
func TestMutations(t *testing.T) {
	m := newMill(t, clientKey.Public())
	if in, err := m.open("as it is", sign(m.outer), clientKey); err != nil || len(in.Points) != 2 {
		t.Fatalf("as it is: %+v, %v", in, err)
	}
	kinds := slices.Sorted(maps.Keys(mutations))
	count, refused := 0, 0
	for layerName, layer := range map[string]struct {
		text  string
		build func(string) string
	}{
		"outer":  {m.outer, sign},
		"middle": {m.middle, m.outerWith},
		"inner":  {m.inner, func(s string) string { return m.outerWith(m.middleWith(s)) }},
	} {
		lines := strings.Split(strings.TrimSuffix(layer.text, "\n"), "\n")
		for i := range lines {
			if inObject(lines, i) && i%40 != 0 { // the lines of a long one are alike
				continue
			}
			for j, kind := range kinds {
				if (i+j)%3 != 0 { // there are enough lines that each meets them all
					continue
				}
				name := fmt.Sprintf("%s layer, line %d, %s", layerName, i, kind)
				count++
				if _, err := m.open(name, layer.build(strings.Join(mutations[kind](lines, i), "\n")+"\n"), clientKey); err != nil {
					refused++
				}
			}
		}
		for i := range lines { // what must be there
			word, _, _ := strings.Cut(lines[i], " ")
			if !slices.Contains(required, word) {
				continue
			}
			in, err := m.open(word, layer.build(strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n")+"\n"), clientKey)
			if err == nil && len(in.Points) == 2 {
				t.Errorf("%s layer: without %s there are two introduction points", layerName, word)
			}
		}
	}
	t.Logf("%d of %d are refused", refused, count)
	if refused == 0 || refused == count {
		t.Error("the mutations are no test")
	}
}

// required are the lines without which a layer, or an introduction point, is nothing.
var required = []string{
	"hs-descriptor", "descriptor-lifetime", "descriptor-signing-key-cert", "revision-counter", "superencrypted", "signature",
	"desc-auth-type", "desc-auth-ephemeral-key", "encrypted",
	"create2-formats", "onion-key", "auth-key", "enc-key", "enc-key-cert",
}

// inObject tells whether a line is inside an object.
func inObject(lines []string, i int) bool {
	for ; i >= 0; i-- {
		switch {
		case strings.HasPrefix(lines[i], "-----END"):
			return false
		case strings.HasPrefix(lines[i], "-----BEGIN"):
			return true
		}
	}
	return false
}

// Layers that say much: the numbers are those that fit into a descriptor.
func TestLargeLayers(t *testing.T) {
	m := newMill(t, clientKey.Public())
	client := "auth-client AAAAAAAAAAA AQAAAAAAAAAAAAAAAAAAAA AgAAAAAAAAAAAAAAAAAAAA\n"
	point := m.inner[strings.Index(m.inner, "introduction-point "):]
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"many clients": {m.outerWith(strings.Replace(m.middle, "encrypted\n", strings.Repeat(client, 200)+"encrypted\n", 1)), true},
		"20 points":    {m.outerWith(m.middleWith(m.inner + strings.Repeat(point, 9))), true},
		"22 points":    {m.outerWith(m.middleWith(m.inner + strings.Repeat(point, 10))), false},
		"points that are none": {
			m.outerWith(m.middleWith(m.inner + strings.Repeat("introduction-point AAAA\n", 500))), true,
		},
		"unknown lines":      {m.outerWith(m.middleWith(m.inner + strings.Repeat("x\n", 5000))), true},
		"proofs of work":     {m.outerWith(m.middleWith(strings.Replace(m.inner, "pow-params", strings.Repeat("pow-params v9\n", 500)+"pow-params", 1))), true},
		"two proofs of work": {m.outerWith(m.middleWith(strings.Replace(m.inner, "pow-params", "pow-params v1 "+strings.Repeat("A", 43)+" 1 2026-01-01T00:00:00\npow-params", 1))), false},
		"handshakes":         {m.outerWith(m.middleWith(strings.Replace(m.inner, "create2-formats", "create2-formats"+strings.Repeat(" 9", 2000), 1))), true},
		"NULs behind":        {m.outerWith(m.middleWith(m.inner + strings.Repeat("\x00", 5000))), true},
	} {
		if in, err := m.open(name, tt.text, clientKey); (err == nil) != tt.ok {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}
