package ntor

import (
	"fmt"
	"io"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
)

// ServerReply answers a client's message as the relay of the given RSA identity. onion are the onion keys that are still
// accepted: the current one and those before it in their time of grace.
func ServerReply(rand io.Reader, id [20]byte, onion []*x25519.KeyPair, msg []byte) ([ServerLen]byte, *kdf.Keys, error) {
	eph, err := x25519.Generate(rand)
	if err != nil {
		return [ServerLen]byte{}, nil, fmt.Errorf("ntor: %w", err)
	}
	return serverReply(eph, id, onion, msg)
}

func serverReply(eph *x25519.KeyPair, id [20]byte, onion []*x25519.KeyPair, msg []byte) (reply [ServerLen]byte, keys *kdf.Keys, err error) {
	defer eph.Wipe()
	if len(msg) != ClientLen {
		return reply, nil, fmt.Errorf("ntor handshake of %d bytes: %w", len(msg), ErrLength)
	}
	// Identity and onion key are public, and the client sent them in the clear: no need to hide which of them matched.
	e := exchange{id: [20]byte(msg), B: [32]byte(msg[20:]), X: [32]byte(msg[52:]), Y: eph.Public()}
	if e.id != id {
		return reply, nil, fmt.Errorf("ntor handshake: %w", ErrOtherRelay)
	}
	b := x25519.Find(onion, e.B)
	if b == nil {
		return reply, nil, fmt.Errorf("ntor handshake: %w", ErrUnknownKey)
	}
	var okY, okB bool
	e.xy, okY = eph.Shared(&e.X)
	e.xb, okB = b.Shared(&e.X)
	auth, keys := e.derive()
	if !okY || !okB {
		keys.Wipe()
		return reply, nil, fmt.Errorf("ntor handshake: %w", ErrWeakKey)
	}
	copy(reply[:], e.Y[:])
	copy(reply[32:], auth[:])
	return reply, keys, nil
}
