package relaykeys

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

func TestBadRSAFiles(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1032)
	if err != nil {
		t.Fatal(err)
	}
	larger := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for _, tt := range []struct {
		file string
		b    []byte
		want error
	}{
		{"keys/secret_id_key", []byte("x"), keyfile.ErrFormat},
		{"keys/secret_id_key", larger, rsakey.ErrSize},
		{"keys/secret_onion_key", larger, rsakey.ErrSize},
		{"keys/secret_onion_key_ntor", []byte("x"), keyfile.ErrLength},
	} {
		m := relay(t)
		put(t, m, tt.file, tt.b)
		_, _, err := loadAt(Config{}, m, start)
		wantComplaint(t, tt.file, err, tt.want, tt.file, "backup")
		if err != nil && !strings.HasPrefix(err.Error(), tt.file) {
			t.Errorf("%v does not begin with the file", err)
		}
	}
}

// Empty files are what a dying C tor leaves; they count as none.
func TestEmptyFiles(t *testing.T) {
	m := relay(t)
	before := mustSnapshot(t, m, start)
	for _, name := range []string{"keys/secret_id_key", "keys/secret_onion_key", "keys/secret_onion_key_ntor"} {
		put(t, m, name, nil)
	}
	k, r := mustLoad(t, Config{}, m, start)
	if !r.NewRelay || k.Current().Ed() != before.Ed() || k.Current().Fingerprint() == before.Fingerprint() {
		t.Errorf("got %+v", r)
	}
}

// KeyDirectory may be elsewhere.
func TestKeyDirectory(t *testing.T) {
	var data, keys statefile.Mem
	k, _ := mustLoad(t, Config{KeyDirectory: &keys}, &data, start)
	read(t, &keys, "secret_id_key")
	read(t, &data, "fingerprint")
	if _, err := data.Read("keys/secret_id_key"); err == nil {
		t.Error("key in the data directory")
	}
	again, _ := mustLoad(t, Config{KeyDirectory: &keys}, &data, start)
	if again.Current().Fingerprint() != k.Current().Fingerprint() {
		t.Error("another identity")
	}
	put(t, &keys, "secret_id_key", []byte("x"))
	_, _, err := loadAt(Config{KeyDirectory: &keys}, &data, start)
	wantComplaint(t, "damaged", err, keyfile.ErrFormat, "secret_id_key", "")
}

func TestBadNickname(t *testing.T) {
	_, _, err := loadAt(Config{Nickname: "no name"}, &statefile.Mem{}, start)
	if f, ok := errors.AsType[*FileError](err); !ok || f.File != "fingerprint" {
		t.Errorf("got %v", err)
	}
}

// A second start under another name changes the fingerprint files alone.
func TestNewNickname(t *testing.T) {
	m := relay(t)
	mustLoad(t, Config{Nickname: "Other"}, m, start)
	if got := string(read(t, m, "fingerprint-ed25519")); !strings.HasPrefix(got, "Other ") {
		t.Errorf("got %q", got)
	}
}
