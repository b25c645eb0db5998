package relaykeys

import (
	"errors"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

var start = time.Date(2026, 8, 20, 12, 30, 0, 0, time.UTC)

// oneTLSKey is a TLS key for all tests: to make one takes longer than anything else here.
var oneTLSKey = sync.OnceValues(func() (*keyfile.RSASecret, error) { return keyfile.GenerateRSA(tlsBits) })

func loadAt(cfg Config, store statefile.Store, now time.Time) (*Keyring, Report, error) {
	if cfg.NewRSA == nil {
		cfg.NewRSA = func(bits int) (*keyfile.RSASecret, error) {
			if bits == tlsBits {
				return oneTLSKey()
			}
			return keyfile.GenerateRSA(bits)
		}
	}
	return Load(cfg, store, now)
}

func mustLoad(t testing.TB, cfg Config, store statefile.Store, now time.Time) (*Keyring, Report) {
	t.Helper()
	k, r, err := loadAt(cfg, store, now)
	if err != nil {
		t.Fatal(err)
	}
	return k, r
}

// advance goes to now, and wants no complaint.
func advance(t testing.TB, k *Keyring, now time.Time) Report {
	t.Helper()
	r, err := k.Advance(now)
	if err != nil || len(r.Warnings) != 0 {
		t.Fatalf("at %v: %v, %v", now, err, r.Warnings)
	}
	return r
}

// template is the directory of a relay that began at start.
var template = sync.OnceValue(func() map[string][]byte {
	var m statefile.Mem
	if _, _, err := loadAt(Config{}, &m, start); err != nil {
		panic(err)
	}
	files := map[string][]byte{}
	for _, name := range allFiles {
		if b, err := m.Read(name); err == nil {
			files[name] = b
		}
	}
	return files
})

var allFiles = []string{
	"keys/secret_id_key", "keys/secret_onion_key", "keys/secret_onion_key_ntor",
	"keys/ed25519_master_id_secret_key", "keys/ed25519_master_id_public_key",
	"keys/ed25519_signing_secret_key", "keys/ed25519_signing_cert",
	"fingerprint", "fingerprint-ed25519",
}

// relay returns a copy of template.
func relay(t testing.TB) *statefile.Mem {
	t.Helper()
	m := &statefile.Mem{}
	for name, b := range template() {
		put(t, m, name, b)
	}
	return m
}

func put(t testing.TB, s statefile.Store, name string, b []byte) {
	t.Helper()
	if err := s.WriteWhole(name, b); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, s statefile.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, s statefile.Store, name string) []byte {
	t.Helper()
	b, err := s.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var errKilled = errors.New("killed")

// mortal is a store that dies after some changes: whatever comes then fails.
type mortal struct {
	*statefile.Mem
	left int
}

func (m *mortal) count() {
	if m.left == 0 {
		m.FailNext(1, errKilled)
		return
	}
	m.left--
}

func (m *mortal) WriteWhole(name string, b []byte) error {
	m.count()
	return m.Mem.WriteWhole(name, b)
}

func (m *mortal) Remove(name string) error {
	// Nothing changes if there is no such file.
	if _, err := m.Read(name); err != nil {
		return err
	}
	m.count()
	return m.Mem.Remove(name)
}
