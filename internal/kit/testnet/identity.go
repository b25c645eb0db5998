package testnet

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// newIdentity gives the node in dir its RSA identity key and returns the fingerprint, upper-case hex. Relays would make
// one themselves, but then nobody could name a relay in a torrc before it has run.
// https://spec.torproject.org/tor-spec/relay-keys.html
func newIdentity(dir string) (fingerprint string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		return "", fmt.Errorf("identity key: %w", err)
	}
	keys := filepath.Join(ctor.DataDir(dir), "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return "", fmt.Errorf("identity key: %w", err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(filepath.Join(keys, "secret_id_key"), pem.EncodeToMemory(block), 0o600); err != nil {
		return "", fmt.Errorf("identity key: %w", err)
	}
	return fmt.Sprintf("%X", sha1.Sum(x509.MarshalPKCS1PublicKey(&key.PublicKey))), nil
}
