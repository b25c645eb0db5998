package onionaddr

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"filippo.io/edwards25519"
)

const spec = "https://spec.torproject.org/rend-spec/encoding-onion-addresses.html"

// known are addresses from C tor's test_build_address and of a service of C tor in a test network.
var known = []struct{ key, addr string }{
	{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"},
	{"", "s5orujbp47asgnnyelr257sfa7wx3m63obcmxlg2mfyirajzjnnkr4id.onion"},
}

func TestKnown(t *testing.T) {
	for _, tt := range known {
		a, err := Parse(tt.addr)
		if err != nil || a.String() != tt.addr || tt.key != "" && hex.EncodeToString(a[:]) != tt.key {
			t.Errorf("%s: got %x, %s, error %v\nsee %s", tt.addr, a, a, err, spec)
		}
		if again, err := FromKey(a); err != nil || again != a {
			t.Errorf("%s: key gives %s, error %v", tt.addr, again, err)
		}
	}
}

// https://spec.torproject.org/rend-spec/encoding-onion-addresses.html
func TestParse(t *testing.T) {
	good := known[0].addr
	label := strings.TrimSuffix(good, Suffix)
	// withKey makes an address that is in order but for its key.
	withKey := func(key [32]byte) string { return Address(key).String() }
	p, err := new(edwards25519.Point).SetBytes(mustKey(t, good))
	if err != nil {
		t.Fatal(err)
	}
	twisted := new(edwards25519.Point).Add(p, smallOrder(t))
	other := []byte(label)
	other[0]++
	v4, _ := lower.DecodeString(label)
	v4[34] = 4
	for _, tt := range []struct {
		name, host string
		want       error
	}{
		{"usual", good, nil},
		{"upper case", strings.ToUpper(good), nil},
		{"with a label before it", "www.example." + good, nil},
		{"empty", "", ErrFormat},
		{"suffix alone", Suffix, ErrFormat},
		{"no suffix", label, ErrFormat},
		{"dot at the end", good + ".", ErrFormat},
		{"version 2", "expyuzz4wqqyqhjn.onion", ErrFormat},
		{"short", good[1:], ErrFormat},
		{"long", "a" + good, ErrFormat},
		{"no base32", strings.Replace(good, "2", "1", 1), ErrFormat},
		{"letter changed", string(other) + Suffix, ErrChecksum},
		{"another version", lower.EncodeToString(v4) + Suffix, ErrVersion},
		{"no point", withKey([32]byte{2}), ErrKey},
		{"neutral element", withKey([32]byte{1}), ErrKey},
		{"point of order 8", withKey([32]byte(smallOrder(t).Bytes())), ErrKey},
		{"another name for the same service", withKey([32]byte(twisted.Bytes())), ErrKey},
		{"not canonical", withKey(oneMorePrime()), ErrKey},
	} {
		if a, err := ParseUnchecked(strings.TrimSuffix(tt.host, Suffix)); tt.want != nil && !errors.Is(tt.want, ErrFormat) && (err != nil || a == Address{}) {
			t.Errorf("%s: unchecked: got %x, error %v", tt.name, a, err)
		}
		if a, err := Parse(tt.host); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, error %v, want %v\nsee %s", tt.name, a, err, tt.want, spec)
		}
	}
}

// oneMorePrime is the neutral element with the prime added to its y.
func oneMorePrime() [32]byte {
	key := [32]byte(bytes.Repeat([]byte{0xff}, 32))
	key[0], key[31] = 0xee, 0x7f
	return key
}

func mustKey(t *testing.T, addr string) []byte {
	t.Helper()
	a, err := Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	return a[:]
}

// smallOrder is a point of order 8.
func smallOrder(t *testing.T) *edwards25519.Point {
	t.Helper()
	b, _ := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil || new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) != 1 {
		t.Fatal("not a point of order 8", err)
	}
	return p
}

func FuzzParse(f *testing.F) {
	f.Add(known[0].addr)
	f.Add("www." + known[1].addr)
	f.Add("expyuzz4wqqyqhjn.onion")
	f.Fuzz(func(t *testing.T, host string) {
		a, err := Parse(host)
		if err != nil {
			return
		}
		if again, err := Parse(a.String()); err != nil || again != a || !strings.HasSuffix(strings.ToLower(host), a.String()) {
			t.Errorf("%q became %s, and then %s, %v", host, a, again, err)
		}
	})
}
