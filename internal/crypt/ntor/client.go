package ntor

import (
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
)

// Client is the state of a client between its message and the reply. It serves for one reply.
type Client struct {
	id  [20]byte
	b   [32]byte
	eph *x25519.KeyPair
}

// ClientStart begins a handshake with the relay of the given RSA identity and onion key.
func ClientStart(rand io.Reader, id [20]byte, onion [32]byte) (*Client, [ClientLen]byte, error) {
	eph, err := x25519.Generate(rand)
	if err != nil {
		return nil, [ClientLen]byte{}, fmt.Errorf("ntor: %w", err)
	}
	c, msg := clientStart(eph, id, onion)
	return c, msg, nil
}

func clientStart(eph *x25519.KeyPair, id [20]byte, onion [32]byte) (*Client, [ClientLen]byte) {
	var msg [ClientLen]byte
	x := eph.Public()
	copy(msg[:], id[:])
	copy(msg[20:], onion[:])
	copy(msg[52:], x[:])
	return &Client{id, onion, eph}, msg
}

// Finish checks the reply of the relay and returns the keys that are shared with it.
func (c *Client) Finish(reply []byte) (*kdf.Keys, error) {
	if len(reply) != ServerLen {
		return nil, fmt.Errorf("ntor reply of %d bytes: %w", len(reply), ErrLength)
	}
	e := exchange{id: c.id, B: c.b, X: c.eph.Public(), Y: [32]byte(reply)}
	// Everything is computed before anything is judged, so that the time tells nothing.
	var okY, okB bool
	e.xy, okY = c.eph.Shared(&e.Y)
	e.xb, okB = c.eph.Shared(&e.B)
	c.eph.Wipe()
	auth, keys := e.derive()
	okAuth := subtle.ConstantTimeCompare(auth[:], reply[32:]) == 1
	switch {
	case !okY || !okB:
		keys.Wipe()
		return nil, fmt.Errorf("ntor reply: %w", ErrWeakKey)
	case !okAuth:
		keys.Wipe()
		return nil, fmt.Errorf("ntor reply: %w", ErrAuth)
	}
	return keys, nil
}
