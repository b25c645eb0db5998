package keyfile

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
)

// An OnionSecret is the secret Curve25519 key of the ntor handshakes.
type OnionSecret struct {
	pub [32]byte
	get func() *ecdh.PrivateKey // a func, since fmt walks into the unexported fields of structs that hold an OnionSecret
}

// GenerateOnion makes a key.
func GenerateOnion() *OnionSecret {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	// Clamped as in files of C tor, although whoever uses a key clamps it again.
	secret[0] &= 248
	secret[31] = secret[31]&127 | 64
	k, err := newOnion(secret[:])
	if err != nil {
		panic("keyfile: " + err.Error()) // only a wrong length is an error
	}
	clear(secret[:])
	return k
}

func newOnion(secret []byte) (*OnionSecret, error) {
	key, err := ecdh.X25519().NewPrivateKey(secret)
	if err != nil {
		return nil, ErrKey
	}
	return &OnionSecret{[32]byte(key.PublicKey().Bytes()), func() *ecdh.PrivateKey { return key }}, nil
}

// ParseOnion parses a file with an onion key: the secret, and the public key that belongs to it.
func ParseOnion(b []byte) (*OnionSecret, error) {
	body, err := parseBody(b, typeOnion, tagOnion, 64)
	if err != nil {
		return nil, fmt.Errorf("onion key: %w", err)
	}
	k, err := newOnion(body[:32])
	if err == nil && k.pub != [32]byte(body[32:]) {
		err = ErrMismatch
	}
	if err != nil {
		return nil, fmt.Errorf("onion key: %w", err)
	}
	return k, nil
}

// AppendTo appends the file to dst.
func (k *OnionSecret) AppendTo(dst []byte) ([]byte, error) {
	body := append(k.get().Bytes(), k.pub[:]...)
	defer clear(body)
	return Tagged{typeOnion, tagOnion, body}.AppendTo(dst)
}

// Public returns the public key.
func (k *OnionSecret) Public() [32]byte { return k.pub }

// Key returns the secret for use. Do not print it: fmt knows no secrets.
func (k *OnionSecret) Key() *ecdh.PrivateKey { return k.get() }

// Format prints the public key alone, whatever the verb.
func (k OnionSecret) Format(f fmt.State, _ rune) {
	io.WriteString(f, "x25519:"+hex.EncodeToString(k.pub[:]))
}
