package ed25519x

import (
	"crypto/ed25519"
	"encoding/hex"
	"testing"

	"filippo.io/edwards25519"
)

func TestIsKey(t *testing.T) {
	pub := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	point, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil {
		t.Fatal(err)
	}
	// A point of order 8.
	small, err := new(edwards25519.Point).SetBytes(unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		key  []byte
		want bool
	}{
		{"key", pub, true},
		{"base point", edwards25519.NewGeneratorPoint().Bytes(), true},
		{"neutral element", edwards25519.NewIdentityPoint().Bytes(), false},
		{"small order", small.Bytes(), false},
		{"with a part of small order", new(edwards25519.Point).Add(point, small).Bytes(), false},
		{"no point", unhex(t, "0200000000000000000000000000000000000000000000000000000000000000"), false},
	} {
		if got := IsKey([32]byte(tt.key)); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
