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

// ErrUnknown says that a file is of no kind that belongs to onion services.
var ErrUnknown = errors.New("not a file of an onion service, its clients, or Arti")

// FormatClientKey returns a client's public key in base32, as a file NAME.auth has it.
func FormatClientKey(key [32]byte) string {
	b, err := keyfile.AppendAuthorizedClient(nil, key)
	if err != nil {
		panic("onion: " + err.Error()) // every key can be written
	}
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, ':')+1:])
}

// Describe tells what is in a file, by its content: lines for people, without any secret.
func Describe(b []byte) (string, error) {
	if IsBackup(b) {
		return "an encrypted backup: restore opens it\n", nil
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("%w: more than %d bytes", ErrUnknown, maxFile)
	}
	if t, err := keyfile.ParseTagged(b); err == nil && t.Tag != keyfile.TagMaster {
		return "", fmt.Errorf("%w: a key of another use, with tag %q", ErrUnknown, t.Tag)
	}
	if key, err := keyfile.ParseEdSecret(b, keyfile.TagMaster); err == nil {
		defer key.Wipe()
		return identity("a secret key", key.ID())
	}
	if key, err := keyfile.ParseEdPublic(b, keyfile.TagMaster); err == nil {
		return identity("a public key", key)
	}
	if sshkey.Is(b) {
		return describeArti(b)
	}
	if s, err := Import(b); err == nil {
		defer s.Key.Wipe()
		return identity("a secret key of a control port", s.Key.ID())
	}
	if addr, err := keyfile.ParseHostname(b); err == nil {
		return fmt.Sprintf("address     %s\n", addr), nil
	}
	if key, err := keyfile.ParseAuthorizedClient(b); err == nil {
		return fmt.Sprintf("an authorized client\npublic key  %s\n", FormatClientKey(key)), nil
	}
	if auth, err := keyfile.ParseClientAuth(b); err == nil {
		return fmt.Sprintf("the secret of an authorized client\nservice     %s\npublic key  %s\n", auth.Service, FormatClientKey(auth.Public())), nil
	}
	return "", ErrUnknown
}

// identity describes a key by which a service is known.
func identity(what string, id [32]byte) (string, error) {
	addr, err := onionaddr.FromKey(id)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\naddress     %s\npublic key  %s\n", what, addr, base64.RawStdEncoding.EncodeToString(id[:])), nil
}

func describeArti(b []byte) (string, error) {
	kind, err := sshkey.Kind(b)
	if err != nil {
		return "", err
	}
	switch kind {
	case sshkey.KindEdExpanded:
		key, err := sshkey.ParseEd(b)
		if err != nil {
			return "", err
		}
		defer key.Wipe()
		return identity("a secret key of Arti's", key.ID())
	case sshkey.KindX25519:
		public, secret, err := sshkey.ParseX25519(b)
		clear(secret[:])
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("a secret X25519 key of Arti's: a client's, if its name has ks_hsc_desc_enc\npublic key  %s\n", FormatClientKey(public)), nil
	}
	return "", fmt.Errorf("%w: an OpenSSH key of kind %q", ErrUnknown, kind)
}
