package x25519

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func key(t testing.TB, s string) (k [32]byte) {
	t.Helper()
	if n, err := hex.Decode(k[:], []byte(s)); err != nil || n != 32 {
		t.Fatalf("bad key %q: %v", s, err)
	}
	return k
}

// https://www.rfc-editor.org/rfc/rfc7748#section-6.1
func TestVectors(t *testing.T) {
	a := key(t, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
	b := key(t, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
	ka, kb := FromSecret(&a), FromSecret(&b)
	if got, want := ka.Public(), key(t, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"); got != want {
		t.Errorf("public key of a: got %x, want %x", got, want)
	}
	if got, want := kb.Public(), key(t, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"); got != want {
		t.Errorf("public key of b: got %x, want %x", got, want)
	}
	want := key(t, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
	if got, ok := ka.Shared(&kb.public); got != want || !ok {
		t.Errorf("a with b: got %x, want %x", got, want)
	}
	if got, ok := kb.Shared(&ka.public); got != want || !ok {
		t.Errorf("b with a: got %x, want %x", got, want)
	}
}

// https://www.rfc-editor.org/rfc/rfc7748#section-5.2
func TestIterated(t *testing.T) {
	k, u := [32]byte{9}, [32]byte{9}
	var out [32]byte
	for range 1000 {
		ladder(&out, &k, &u)
		k, u = out, k
	}
	if want := key(t, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"); k != want {
		t.Errorf("after 1000 rounds: got %x, want %x", k, want)
	}
}

func TestLowOrder(t *testing.T) {
	k := FromSecret(&[32]byte{1, 2, 3})
	for _, peer := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		p := key(t, peer)
		if _, ok := k.Shared(&p); ok {
			t.Errorf("peer %s: accepted", peer)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	k, err := Generate(bytes.NewReader(bytes.Repeat([]byte{0xab}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("%v", k), fmt.Sprintf("%+v", *k), fmt.Sprintf("%#v", k), fmt.Sprintf("%d", struct{ K *KeyPair }{k})} {
		if strings.Contains(s, "abab") || strings.Contains(s, "171 171") {
			t.Errorf("printed as %s", s)
		}
	}
	if k.Wipe(); k.Secret() != [32]byte{} {
		t.Error("not wiped")
	}
	if _, err := Generate(bytes.NewReader(nil)); err == nil {
		t.Error("a key without randomness")
	}
}

// FuzzX25519 compares with the standard library.
func FuzzX25519(f *testing.F) {
	zero, ones := make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)
	f.Add(zero, zero)
	f.Add(ones, ones)
	f.Add([]byte("pop! put... a JELLY on the thing"), []byte("\xcc\xbcABCDEFGHIJKLMNOPQRSTUVWXYZ0123"))
	f.Fuzz(func(t *testing.T, secret, peer []byte) {
		if len(secret) != 32 || len(peer) != 32 {
			return
		}
		k := FromSecret((*[32]byte)(secret))
		priv, err := ecdh.X25519().NewPrivateKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := k.Public(), priv.PublicKey().Bytes(); !bytes.Equal(got[:], want) {
			t.Fatalf("public key of %x: got %x, want %x", secret, got, want)
		}
		pub, err := ecdh.X25519().NewPublicKey(peer)
		if err != nil {
			t.Fatal(err)
		}
		want, err := priv.ECDH(pub)
		got, ok := k.Shared((*[32]byte)(peer))
		if ok != (err == nil) || ok && !bytes.Equal(got[:], want) {
			t.Fatalf("shared of %x and %x: got %x %v, want %x %v", secret, peer, got, ok, want, err)
		}
	})
}

func TestNoAllocation(t *testing.T) {
	k := FromSecret(&[32]byte{1})
	peer := FromSecret(&[32]byte{2}).Public()
	if n := testing.AllocsPerRun(10, func() { k.Shared(&peer) }); n != 0 {
		t.Errorf("%v allocations per Shared", n)
	}
}

func BenchmarkShared(b *testing.B) {
	k := FromSecret(&[32]byte{1})
	peer := FromSecret(&[32]byte{2}).Public()
	b.ReportAllocs()
	for b.Loop() {
		k.Shared(&peer)
	}
}

func BenchmarkFromSecret(b *testing.B) {
	secret := [32]byte{1}
	b.ReportAllocs()
	for b.Loop() {
		FromSecret(&secret)
	}
}
