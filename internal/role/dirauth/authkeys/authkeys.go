package authkeys

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// What can be wrong with the files, besides the errors of packages keyfile and authcert, and fs.ErrNotExist.
var (
	ErrMismatch = errors.New("signing key is not that of the certificate")
	ErrIdentity = errors.New("identity key is not that of the certificate")
	ErrSame     = errors.New("legacy identity is the authority's own")
	ErrExpired  = errors.New("certificate has expired")
	ErrEarly    = errors.New("certificate is not valid yet")
)

// Sizes of the keys that are taken, in bits.
const (
	minBits = 1024
	maxBits = rsakey.MaxBits
)

// Config says which keys there are.
type Config struct {
	// KeyDirectory holds the files of keys/, without that prefix; nil means the directory keys/ of the store.
	KeyDirectory statefile.Store

	// Legacy asks for the legacy keys, too (V3AuthUseLegacyKey).
	Legacy bool
}

// A Set is a signing key and its certificate. They belong together.
type Set struct {
	Signing *keyfile.RSASecret
	Cert    *authcert.Cert
}

// Usable says why nothing should be signed at a time, if so.
func (s *Set) Usable(now time.Time) error {
	switch {
	case !now.Before(s.Cert.Expires):
		return fmt.Errorf("%w: %v", ErrExpired, s.Cert.Expires)
	case now.Before(s.Cert.Published):
		return fmt.Errorf("%w: %v", ErrEarly, s.Cert.Published)
	}
	return nil
}

// A Snapshot is all keys of a moment. Nobody changes it.
type Snapshot struct {
	Set
	Legacy *Set // nil unless Config.Legacy

	// IdentityHere reports whether the identity key is in the key directory. It is not needed there, and safer elsewhere.
	IdentityHere bool
}

// A Keyring is the keys of an authority. Its methods are safe for concurrent use, but Check has one caller.
type Keyring struct {
	cfg     Config
	store   statefile.Store
	current atomic.Pointer[Snapshot]
	expiry  Expiry
}

// Load loads the keys. It does not mind a certificate that has expired: the operator may replace it while the authority runs.
func Load(cfg Config, data statefile.Store) (*Keyring, error) {
	k := &Keyring{cfg: cfg, store: data}
	if cfg.KeyDirectory != nil {
		k.store = cfg.KeyDirectory
	}
	return k, k.Reload()
}

// Current returns the keys.
func (k *Keyring) Current() *Snapshot { return k.current.Load() }

// Reload loads the files again. If one is wrong, the keys stay what they were.
func (k *Keyring) Reload() error {
	s, err := k.load()
	if err != nil {
		return fmt.Errorf("keys of the directory authority: %w", err)
	}
	k.current.Store(s)
	return nil
}

func (k *Keyring) load() (*Snapshot, error) {
	set, err := k.set("authority_signing_key", "authority_certificate")
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Set: *set}
	if s.IdentityHere, err = k.identity(set.Cert); err != nil {
		return nil, err
	}
	if !k.cfg.Legacy {
		return s, nil
	}
	if s.Legacy, err = k.set("legacy_signing_key", "legacy_certificate"); err == nil && s.Legacy.Cert.Fingerprint == set.Cert.Fingerprint {
		err = ErrSame
	}
	return s, err
}

// set loads a signing key and its certificate.
func (k *Keyring) set(keyName, certName string) (*Set, error) {
	b, err := k.read(keyName)
	defer clear(b)
	if err != nil {
		return nil, err
	}
	signing, err := keyfile.ParseRSA(b, minBits, maxBits)
	if err != nil {
		return nil, k.fail(keyName, err)
	}
	text, err := k.read(certName)
	if err != nil {
		return nil, err
	}
	// As C tor, take the first: what tor-gencert writes is one.
	for first := range authcert.Split(text) {
		text = first
		break
	}
	cert, err := authcert.Parse(text)
	if err != nil {
		return nil, k.fail(certName, err)
	}
	if !signing.Public().Equal(cert.Signing) {
		return nil, k.fail(keyName, ErrMismatch)
	}
	return &Set{signing, cert}, nil
}

// identity reports whether the identity key is there. If no passphrase hides it, it must be that of the certificate.
func (k *Keyring) identity(cert *authcert.Cert) (bool, error) {
	const name = "authority_identity_key"
	b, err := k.read(name)
	defer clear(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, nil // unreadable for us: as good as elsewhere
	}
	locked, err := keyfile.ParseLocked(b, minBits, maxBits)
	if err != nil || locked.Encrypted() {
		return true, nil // nobody needs it here
	}
	key, err := locked.Open(nil)
	if err == nil && key.Fingerprint() != cert.Fingerprint {
		return true, k.fail(name, ErrIdentity)
	}
	return true, nil
}

// read returns the content of a file of the key directory.
func (k *Keyring) read(name string) ([]byte, error) {
	b, err := k.store.Read(k.path(name))
	if err != nil {
		return nil, k.fail(name, err)
	}
	return b, nil
}

func (k *Keyring) path(name string) string {
	if k.cfg.KeyDirectory != nil {
		return name
	}
	return "keys/" + name
}

func (k *Keyring) fail(name string, err error) error { return fmt.Errorf("%s: %w", k.path(name), err) }
