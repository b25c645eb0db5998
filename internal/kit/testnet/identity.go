package testnet

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// voterBits is the size of the keys of an authority. That of its identity is smaller than what gencert makes (3072), which
// nobody checks: it would take longer than all other keys of a network.
const voterBits = 2048

// certLife is how long the certificate of an authority is good.
const certLife = 365 * 24 * time.Hour

// newIdentity gives the node in dir its RSA identity key and returns the fingerprint, upper-case hex. Relays would make
// one themselves, but then nobody could name a relay in a torrc before it has run.
// https://spec.torproject.org/tor-spec/relay-keys.html
func newIdentity(dir string) (fingerprint string, err error) {
	key, err := newKey(dir, "secret_id_key", rsakey.RelayBits)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%X", key.Fingerprint()), nil
}

// newVoter gives the authority in dir its v3 identity, whose fingerprint it returns, a signing key, and the certificate for it.
// The identity key itself is of no more use, and is not kept.
// https://spec.torproject.org/dir-spec/creating-key-certificates.html
func newVoter(dir string) (v3ident string, err error) {
	identity, err := keyfile.GenerateRSA(voterBits)
	if err != nil {
		return "", err
	}
	signing, err := newKey(dir, "authority_signing_key", voterBits)
	if err != nil {
		return "", err
	}
	now := time.Now().UTC()
	cert, err := authcert.Make(identity.Key(), signing.Key(), now, now.Add(certLife), netip.AddrPort{})
	if err == nil {
		err = os.WriteFile(filepath.Join(keysDir(dir), "authority_certificate"), cert, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("certificate: %w", err)
	}
	return fmt.Sprintf("%X", identity.Fingerprint()), nil
}

// newKey makes a key and writes it to a file of the node in dir.
func newKey(dir, name string, bits int) (*keyfile.RSASecret, error) {
	key, err := keyfile.GenerateRSA(bits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, err := key.AppendTo(nil)
	if err == nil {
		err = os.MkdirAll(keysDir(dir), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(keysDir(dir), name), text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

func keysDir(dir string) string { return filepath.Join(ctor.DataDir(dir), "keys") }
