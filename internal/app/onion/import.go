package onion

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/sshkey"
)

// controlPrefix begins a key as control ports give it (ADD_ONION).
//
// https://spec.torproject.org/control-spec/commands.html#add_onion
const controlPrefix = "ED25519-V3:"

// Import reads the identity key of a service: C tor's hs_ed25519_secret_key, Arti's ks_hs_id.ed25519_expanded_private, or the line
// of a control port.
func Import(b []byte) (*Service, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrNoKey, maxFile)
	}
	s := new(Service)
	var err error
	switch {
	case sshkey.Is(b):
		if s.Key, err = sshkey.ParseEd(b); errors.Is(err, sshkey.ErrKind) {
			err = fmt.Errorf("%w: %w; that of a service is called ks_hs_id.ed25519_expanded_private", ErrNoKey, err)
		}
	case bytes.HasPrefix(b, []byte(controlPrefix)):
		s.Key, err = parseControl(b)
	default:
		if s.Key, err = keyfile.ParseEdSecret(b, keyfile.TagMaster); err != nil {
			err = fmt.Errorf("%w: %w", ErrNoKey, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, s.check()
}

// ImportClient reads the secret with which a client of Arti's reads the descriptor of service: ks_hsc_desc_enc.x25519_private. The
// file does not tell the service; its directory has that name.
func ImportClient(b []byte, service onionaddr.Address) (*keyfile.ClientAuth, error) {
	public, secret, err := sshkey.ParseX25519(b)
	defer clear(secret[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w; that of a client is called ks_hsc_desc_enc.x25519_private", ErrNoKey, err)
	}
	key, err := keyfile.NewClientAuth(service, secret)
	if err == nil && key.Public() != public {
		err = fmt.Errorf("OpenSSH key: %w", keyfile.ErrMismatch)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

func parseControl(b []byte) (*keyfile.EdSecret, error) {
	text := bytes.TrimSpace(b[len(controlPrefix):])
	expanded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	defer clear(expanded)
	n, err := base64.StdEncoding.Decode(expanded, text)
	if err != nil || n != keyfile.EdSecretLen {
		return nil, fmt.Errorf("%w: after %s there must be %d bytes in base64", ErrNoKey, controlPrefix, keyfile.EdSecretLen)
	}
	return keyfile.EdFromExpanded((*[keyfile.EdSecretLen]byte)(expanded))
}
