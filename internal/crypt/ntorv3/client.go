package ntorv3

import (
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
)

// Client is the state of a client between its message and the reply. It serves for one reply.
type Client struct {
	exchange
	eph *x25519.KeyPair
}

// ClientStart begins a handshake with the relay of the given Ed25519 identity and onion key, and sends msg along.
func ClientStart(rand io.Reader, id, onion [32]byte, verification string, msg []byte) (*Client, []byte, error) {
	eph, err := x25519.Generate(rand)
	if err != nil {
		return nil, nil, fmt.Errorf("ntor v3: %w", err)
	}
	return clientStart(eph, id, onion, verification, msg)
}

func clientStart(eph *x25519.KeyPair, id, onion [32]byte, verification string, msg []byte) (*Client, []byte, error) {
	c := &Client{exchange{id: id, B: onion, X: eph.Public(), verify: encap(nil, verification)}, eph}
	var ok bool
	if c.bx, ok = eph.Shared(&onion); !ok {
		return nil, nil, fmt.Errorf("ntor v3: onion key: %w", ErrWeakKey)
	}
	encKey, macKey := c.phase1()
	encrypted := crypt(encKey, msg)
	c.mac = c.clientMAC(macKey, encrypted)
	clear(encKey)
	clear(macKey)

	out := make([]byte, 0, ClientOverhead+len(msg))
	for _, part := range [][]byte{id[:], onion[:], c.X[:], encrypted, c.mac[:]} {
		out = append(out, part...)
	}
	return c, out, nil
}

// Finish checks the reply of the relay, and returns its message and the keys that are shared with it.
func (c *Client) Finish(reply []byte) (msg []byte, keys *kdf.Keys, err error) {
	if len(reply) < ServerOverhead {
		return nil, nil, fmt.Errorf("ntor v3 reply: %w", ErrTruncated)
	}
	auth, encrypted := reply[32:ServerOverhead], reply[ServerOverhead:]
	c.Y = [32]byte(reply)
	// Everything is computed before anything is judged, so that the time tells nothing.
	var okY bool
	c.xy, okY = c.eph.Shared(&c.Y)
	c.eph.Wipe()
	r := c.phase2()
	want := c.auth(r.verify[:], encrypted)
	okAuth := subtle.ConstantTimeCompare(want[:], auth) == 1
	defer clear(r.encKey)
	switch {
	case !okY:
		r.keys.Wipe()
		return nil, nil, fmt.Errorf("ntor v3 reply: %w", ErrWeakKey)
	case !okAuth:
		r.keys.Wipe()
		return nil, nil, fmt.Errorf("ntor v3 reply: %w", ErrAuth)
	}
	return crypt(r.encKey, encrypted), r.keys, nil
}
