package keyfile

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

func opensslFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "openssl", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unlock(b []byte, passphrase string) (*RSASecret, error) {
	k, err := ParseLocked(b, 1024, rsakey.MaxBits)
	if err != nil {
		return nil, err
	}
	return k.Open([]byte(passphrase))
}

func TestLocked(t *testing.T) {
	want, err := ParseRSA(opensslFile(t, "pkcs1"), 1024, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, passphrase string }{
		{"plain", ""}, {"pkcs1", ""}, {"sha1-3des", "hé€x"}, {"latin1", "h\xe9x"}, {"empty", ""}, {"aes256", "hé€x"}, {"aes128", "hé€x"},
		{"3des", "hé€x"},
	} {
		file := opensslFile(t, tt.name)
		got, err := unlock(file, tt.passphrase)
		if err != nil || !got.Key().Equal(want.Key()) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, want)
		}
		locked, err := ParseLocked(file, 1024, 1024)
		if err != nil {
			t.Fatal(err)
		}
		if encrypted := !strings.HasPrefix(tt.name, "p"); locked.Encrypted() != encrypted {
			t.Errorf("%s: encrypted is %v", tt.name, locked.Encrypted())
		} else if !encrypted {
			continue
		}
		for i := range 20 {
			if _, err := unlock(file, fmt.Sprint("wrong", i)); !errors.Is(err, ErrPassphrase) {
				t.Errorf("%s, wrong passphrase %d: %v", tt.name, i, err)
			}
		}
	}
}

func TestAppendLocked(t *testing.T) {
	key, err := unlock(opensslFile(t, "plain"), "")
	if err != nil {
		t.Fatal(err)
	}
	file, err := key.AppendLocked([]byte("before\n"), []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	file, ok := bytes.CutPrefix(file, []byte("before\n"))
	got, err := unlock(file, "open sesame")
	if !ok || err != nil || !got.Key().Equal(key.Key()) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := unlock(file, "open sesame "); !errors.Is(err, ErrPassphrase) {
		t.Errorf("another passphrase: %v", err)
	}
}

// reDER changes the content of a PEM file.
func reDER(t *testing.T, name string, change func(der []byte) []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(opensslFile(t, name))
	block.Bytes = change(block.Bytes)
	return pem.EncodeToMemory(block)
}

func TestBadLocked(t *testing.T) {
	swap := func(old, new string) func([]byte) []byte {
		return func(der []byte) []byte { return bytes.Replace(der, []byte(old), []byte(new), 1) }
	}
	for _, tt := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, ErrFormat},
		{"too long", make([]byte, MaxRSALen+1), ErrLength},
		{"two keys", append(opensslFile(t, "plain"), opensslFile(t, "plain")...), ErrFormat},
		{"text before", append([]byte("x\n"), opensslFile(t, "plain")...), ErrFormat},
		{"public key", bytes.ReplaceAll(opensslFile(t, "plain"), []byte("PRIVATE"), []byte("PUBLIC")), ErrType},
		{"old encryption", opensslFile(t, "trad"), ErrUnsupported},
		{"scrypt", opensslFile(t, "scrypt"), ErrUnsupported},
		{"Ed25519", opensslFile(t, "ed"), ErrUnsupported},
		{"cut", reDER(t, "aes256", func(der []byte) []byte { return der[:len(der)-1] }), ErrFormat},
		{"cut key", reDER(t, "plain", func(der []byte) []byte { return der[:len(der)-1] }), ErrFormat},
		{"longer", reDER(t, "aes256", func(der []byte) []byte { return append(der, 0) }), ErrFormat},
		{"other cipher", reDER(t, "aes256", swap("\x60\x86\x48\x01\x65\x03\x04\x01\x2a", "\x60\x86\x48\x01\x65\x03\x04\x01\x2b")), ErrUnsupported},
		{"other hash", reDER(t, "aes256", swap("\x86\xf7\x0d\x02\x09", "\x86\xf7\x0d\x02\x0c")), ErrUnsupported},
		{"other algorithm", reDER(t, "sha1-3des", swap("\x0d\x01\x0c\x01\x03", "\x0d\x01\x0c\x01\x04")), ErrUnsupported},
		{"no turns", reDER(t, "sha1-3des", swap("\x02\x02\x08\x00", "\x02\x02\xff\x00")), ErrFormat},
		{"many turns", reDER(t, "sha1-3des", func(der []byte) []byte {
			i := bytes.Index(der, []byte("\x02\x02\x08\x00"))
			der[i-9] = 6 // two bytes of the salt make place
			copy(der[i-2:], "\x02\x04\x7f\xff\xff\xff")
			return der
		}), ErrUnsupported},
		{"short IV", reDER(t, "3des", swap("\x0d\x03\x07\x04\x08", "\x0d\x03\x07\x04\x07")), ErrFormat},
		{"small", opensslFile(t, "plain"), rsakey.ErrSize},
	} {
		minBits := 1024
		if tt.name == "small" {
			minBits = 2048
		}
		k, err := ParseLocked(tt.file, minBits, rsakey.MaxBits)
		if err == nil {
			_, err = k.Open([]byte("hé€x"))
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func FuzzParseLocked(f *testing.F) {
	for _, name := range []string{"plain", "pkcs1", "sha1-3des", "aes256", "3des", "scrypt"} {
		f.Add(opensslFile(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseLocked(b, 1024, rsakey.MaxBits)
		if err != nil {
			return
		}
		switch s := k.scheme.(type) { // their cost is not what is tested
		case *pbes2:
			s.turns = min(s.turns, 10)
		case *pkcs12PBE:
			s.turns = min(s.turns, 10)
		}
		k.Open([]byte("hé€x"))
	})
}
