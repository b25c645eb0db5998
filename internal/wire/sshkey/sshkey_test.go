package sshkey

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The files "expanded" and "x25519" are from Arti's tests (crates/tor-keymgr/testdata).
func TestArti(t *testing.T) {
	key, err := ParseEd(file(t, "expanded"))
	if err != nil {
		t.Fatal(err)
	}
	id := key.ID()
	if got, want := hex.EncodeToString(id[:]), "90291b4d78d4e19b295e31876616e72b6e03dc64d0cee92f353190f5afbabad4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	public, secret, err := ParseX25519(file(t, "x25519"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(public[:]), "1d622280401d70e82a8073c3166ce18647aabd83ff19c313d9f29be4963a7b2f"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(secret[:]), "1724acfbe6b76bb17ac0e25310c2d5403793b90bc6085f3bee4ed83187995e9a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKind(t *testing.T) {
	for name, want := range map[string]string{
		"expanded": KindEdExpanded, "x25519": KindX25519, "ed25519": "ssh-ed25519", "bad-algorithm": "pangolin@torproject.org",
	} {
		if !Is(file(t, name)) {
			t.Errorf("%s: not seen to be an OpenSSH key", name)
		}
		if got, err := Kind(file(t, name)); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

// change returns the file "expanded" after f has changed what is in the PEM block.
func change(t *testing.T, f func(b []byte) []byte) []byte {
	p, _ := pem.Decode(file(t, "expanded"))
	p.Bytes = f(p.Bytes)
	return pem.EncodeToMemory(p)
}

func set(at int, to byte) func([]byte) []byte {
	return func(b []byte) []byte { b[at] = to; return b }
}

func TestBad(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		err  error
	}{
		{"nothing", nil, ErrFormat},
		{"no PEM", []byte("key"), ErrFormat},
		{"a line that is no base64", file(t, "bad-line"), ErrFormat},
		{"two keys in a file", bytes.Repeat(file(t, "expanded"), 2), ErrFormat},
		{"too long", append(file(t, "expanded"), make([]byte, MaxLen)...), ErrFormat},
		{"encrypted", file(t, "encrypted"), ErrEncrypted},
		{"X25519", file(t, "x25519"), ErrKind},
		{"an SSH key", file(t, "ed25519"), ErrKind},
		{"unknown kind", file(t, "bad-algorithm"), ErrKind},
		{"no magic", change(t, set(0, 'O')), ErrFormat},
		{"long cipher", change(t, set(15, 255)), ErrFormat},
		{"cipher", change(t, set(19, 'N')), ErrEncrypted},
		{"two keys", change(t, set(38, 2)), ErrFormat},
		{"long public key", change(t, set(39, 255)), ErrFormat},
		{"other kind", change(t, set(47, 'E')), ErrFormat},
		{"public key of 31", change(t, set(86, 31)), ErrFormat},
		{"public keys differ", change(t, set(87, 0)), ErrFormat},
		{"check numbers", change(t, set(123, 0)), ErrFormat},
		{"secret of another key", change(t, set(216, 0)), keyfile.ErrMismatch},
		{"padding", change(t, func(b []byte) []byte { b[len(b)-1] = 0; return b }), ErrFormat},
		{"cut", change(t, func(b []byte) []byte { return b[:len(b)-8] }), ErrFormat},
		{"more", change(t, func(b []byte) []byte { return append(b, 0) }), ErrFormat},
	} {
		if _, err := ParseEd(tt.b); !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"expanded", "x25519", "ed25519", "encrypted", "bad-line"} {
		f.Add(file(f, name))
		if p, _ := pem.Decode(file(f, name)); p != nil {
			f.Add(p.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: b})} {
			kind, err := Kind(b)
			if _, edErr := ParseEd(b); edErr == nil && (err != nil || kind != KindEdExpanded) {
				t.Errorf("an Ed25519 key of kind %q, %v", kind, err)
			}
			if _, _, xErr := ParseX25519(b); xErr == nil && (err != nil || kind != KindX25519) {
				t.Errorf("an X25519 key of kind %q, %v", kind, err)
			}
		}
	})
}
