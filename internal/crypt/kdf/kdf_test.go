package kdf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// https://spec.torproject.org/tor-spec/setting-circuit-keys.html#kdf-tor
func TestTor(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{ // C tor, test_crypto.c
		{"empty", "", "5ba93c9db0cff93f52b521d7420e43f6eda2784fbf8b4530d8d246dd74ac53a13471bba17941dff7c4ea21bb365bbeeaf5f2c654883e56d11e43c44e9842926af7ca0a8cca12604f945414f07b01e13da42c6cf1de3abfdea9b95f34687cbbe92b9a7383"},
		{"short", "Tor", "776c6214fc647aaa5f683c737ee66ec44f03d0372e1cce69227950f236ddf1e329a7ce7c227903303f525a8c6662426e8034870642a6dabbd41b5d97ec9bf2312ea729992f48f8ea2d0ba83f45dfda1a80bdc8b80de01b23e3e0ffae099b3e4ccf28dc28"},
		{"long", "AN ALARMING ITEM TO FIND ON A MONTHLY AUTO-DEBIT NOTICE", "a340b5d126086c3ab29c2af4179196dbf95e1c72431419d3314844bf8f6afb6098db952b95581fb6c33625709d6f4400b8e7ace18a70579fad83c0982ef73f89395bcc39493ad53a685854daf2ba9b78733b805d9a6824c907ee1dba5ac27a1e466d4d10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := unhex(t, c.want)
			for n := range len(want) + 1 {
				if got := Tor([]byte(c.in), n); !bytes.Equal(got, want[:n]) {
					t.Fatalf("%d bytes: got %x, want %x", n, got, want[:n])
				}
			}
		})
	}
	if n := len(Tor([]byte("x"), 5120)); n != 5120 {
		t.Errorf("the longest output has %d bytes", n)
	}
}

// https://spec.torproject.org/tor-spec/setting-circuit-keys.html#kdf-rfc5869
func TestHKDF(t *testing.T) {
	const info = "ntor-curve25519-sha256-1:key_expand"
	// The seed is HMAC-SHA256 of "Tor" under ntor's t_key; the output is in C tor's test_crypto.c.
	seed := unhex(t, "fa5f2618f56ad44968fdeb92c161e1a0950ff20e443fe5032f9a39963ec99a85")
	want := unhex(t, "5521492a85139a8d9107a2d5c0d9c91610d0f95989975ebee6c02a4f8d622a6cfdf9b7c7edd3832e2760ded1eac309b76f8d66c4a3c4d6225429b3a016e3c3d45911152fc87bc2de9630c3961be9fdb9f93197ea8e5977180801926d3321fa21513e59ac")
	k := NewHKDF(bytes.Clone(seed), info)
	if got := k.Expand(100); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	material, kh := k.Circuit(72)
	if !bytes.Equal(material, want[:72]) || !bytes.Equal(kh[:], want[72:92]) {
		t.Errorf("circuit: got %x and %x, want the two parts of %x", material, kh, want[:92])
	}
	if got := fmt.Sprintf("%v %+v %#v %x", k, *k, *k, k); got != "[keys] [keys] [keys] [keys]" {
		t.Errorf("printed as %s", got)
	}
	k.Wipe()
	if got := k.Expand(100); bytes.Equal(got, want) {
		t.Error("the seed was not wiped")
	}
}

// https://spec.torproject.org/tor-spec/create-created-cells.html#create_fast
func TestFast(t *testing.T) {
	x, y := [20]byte{1, 2, 3}, [20]byte{4, 5, 6}
	all := Tor(append(x[:], y[:]...), 92)
	kh, server := Fast(x, y)
	if !bytes.Equal(kh[:], all[:20]) {
		t.Errorf("KH: got %x, want %x", kh, all[:20])
	}
	client, err := FinishFast(x, y, kh)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*Keys{"server": server, "client": client} {
		material, got := k.Circuit(72)
		if !bytes.Equal(material, all[20:]) || got != kh {
			t.Errorf("%s: got %x and %x, want %x and %x", name, material, got, all[20:], kh)
		}
	}
	kh[19] ^= 1
	if _, err := FinishFast(x, y, kh); !errors.Is(err, ErrAuth) {
		t.Errorf("wrong KH: got error %v, want %v", err, ErrAuth)
	}
}
