// Package sshkey reads the files in which Arti keeps secret keys: those of OpenSSH, with kinds of keys of Tor's own.
//
//	"openssh-key-v1\0" | cipher | kdf | kdf options | number of keys u32 | public key | secret part
//	secret part: check u32 twice | kind | public 32 | secret | comment | 1 2 3 … up to a multiple of 8
//
// Everything of variable length has its length before it. All of it is in base64 between PEM lines. Arti encrypts nothing, and has one
// key in a file.
//
// https://spec.torproject.org/ssh-protocols.html
package sshkey

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// Kinds of keys. Arti has the identity of an onion service in the first, and in the second that with which a client reads its
// descriptor.
const (
	KindEdExpanded = "ed25519-expanded@spec.torproject.org"
	KindX25519     = "x25519@spec.torproject.org"
)

// MaxLen bounds a file, in bytes. One with a key of ours has some 500.
const MaxLen = 8 << 10

// Errors of this package. Keys that are none are keyfile.ErrKey or keyfile.ErrMismatch.
var (
	ErrFormat    = errors.New("malformed OpenSSH key")
	ErrKind      = errors.New("OpenSSH key of another kind")
	ErrEncrypted = errors.New("OpenSSH key that is encrypted")
)

const (
	pemType = "OPENSSH PRIVATE KEY"
	pemLine = "-----BEGIN " + pemType + "-----"
	magic   = "openssh-key-v1\x00"
	none    = "none"
	block   = 8 // what the secret part is filled up to a multiple of, if there is no cipher
)

// Is tells whether a file claims to be of this format.
func Is(b []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte(pemLine)) }

// Kind tells the kind of key in a file.
func Kind(b []byte) (string, error) {
	k, err := parse(b)
	return k.kind, err
}

// ParseEd reads an expanded Ed25519 key, and checks that its public key belongs to it.
func ParseEd(b []byte) (*keyfile.EdSecret, error) {
	public, secret, err := fields(b, KindEdExpanded, keyfile.EdSecretLen)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	key, err := keyfile.EdFromExpanded((*[keyfile.EdSecretLen]byte)(secret))
	if err != nil {
		return nil, fmt.Errorf("OpenSSH key: %w", err)
	}
	if key.ID() != public {
		return nil, fmt.Errorf("OpenSSH key: %w", keyfile.ErrMismatch)
	}
	return key, nil
}

// ParseX25519 reads an X25519 key. Whoever asks wipes the secret, and checks that the public key belongs to it.
func ParseX25519(b []byte) (public, secret [32]byte, err error) {
	public, s, err := fields(b, KindX25519, len(secret))
	if err != nil {
		return public, secret, err
	}
	defer clear(s)
	return public, [32]byte(s), nil
}

// fields reads the key in a file, which must be of a kind whose secret has n bytes.
func fields(b []byte, kind string, n int) (public [32]byte, secret []byte, err error) {
	k, err := parse(b)
	defer clear(k.whole)
	if err != nil {
		return public, nil, err
	}
	if k.kind != kind {
		return public, nil, fmt.Errorf("%w: %q, not %q", ErrKind, k.kind, kind)
	}
	var pub, again, sec, comment cryptobyte.String
	s := k.secret
	switch {
	case !readString(&k.public, &pub) || len(pub) != len(public) || !k.public.Empty():
		return public, nil, fmt.Errorf("%w: public key", ErrFormat)
	case !readString(&s, &again) || !bytes.Equal(again, pub):
		return public, nil, fmt.Errorf("%w: the public key stands there twice, and differs", ErrFormat)
	case !readString(&s, &sec) || len(sec) != n:
		return public, nil, fmt.Errorf("%w: secret key", ErrFormat)
	case !readString(&s, &comment):
		return public, nil, fmt.Errorf("%w: comment", ErrFormat)
	case len(s) >= block:
		return public, nil, fmt.Errorf("%w: %d bytes at the end", ErrFormat, len(s))
	}
	for i, c := range s {
		if int(c) != i+1 {
			return public, nil, fmt.Errorf("%w: padding", ErrFormat)
		}
	}
	return [32]byte(pub), bytes.Clone(sec), nil
}

// key is a file whose kind has been read.
type key struct {
	kind           string
	public, secret cryptobyte.String // what follows the kind; both alias whole
	whole          []byte
}

func parse(b []byte) (k key, err error) {
	if len(b) > MaxLen {
		return k, fmt.Errorf("%w: more than %d bytes", ErrFormat, MaxLen)
	}
	p, rest := pem.Decode(b)
	if p == nil || p.Type != pemType || len(p.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return k, fmt.Errorf("%w: not one PEM block of type %s", ErrFormat, pemType)
	}
	k.whole = p.Bytes
	s := cryptobyte.String(p.Bytes)
	var head []byte
	var cipher, kdf, options, kind, again cryptobyte.String
	var keys, check1, check2 uint32
	switch {
	case !s.ReadBytes(&head, len(magic)) || string(head) != magic:
		return k, fmt.Errorf("%w: it does not begin with openssh-key-v1", ErrFormat)
	case !readString(&s, &cipher) || !readString(&s, &kdf) || !readString(&s, &options) || !s.ReadUint32(&keys):
		return k, fmt.Errorf("%w: header", ErrFormat)
	case string(cipher) != none || string(kdf) != none:
		return k, ErrEncrypted
	case len(options) > 0 || keys != 1:
		return k, fmt.Errorf("%w: %d keys", ErrFormat, keys)
	case !readString(&s, &k.public) || !readString(&s, &k.secret) || !s.Empty() || len(k.secret)%block != 0:
		return k, fmt.Errorf("%w: length", ErrFormat)
	case !k.secret.ReadUint32(&check1) || !k.secret.ReadUint32(&check2) || check1 != check2:
		return k, fmt.Errorf("%w: check numbers", ErrFormat)
	case !readString(&k.public, &kind) || !readString(&k.secret, &again) || !bytes.Equal(kind, again):
		return k, fmt.Errorf("%w: kind of key", ErrFormat)
	}
	k.kind = string(kind)
	return k, nil
}

// readString reads what has its length before it, in four bytes.
func readString(s, out *cryptobyte.String) bool {
	var n uint32
	return s.ReadUint32(&n) && uint64(n) <= uint64(len(*s)) && s.ReadBytes((*[]byte)(out), int(n))
}
