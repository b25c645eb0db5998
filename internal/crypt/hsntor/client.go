package hsntor

import (
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// minIntroduce1 is the least length of an INTRODUCE1 message without the client's key and the MAC: shorter ones are padded, so
// that the length does not tell what is inside.
const minIntroduce1 = 246

// Intro is an introduction point, as the descriptor of a service has it.
type Intro struct {
	AuthKey [32]byte // Ed25519
	EncKey  [32]byte // X25519: B of the specification
}

// Client is the state of a client from the beginning of a rendezvous to its end. It may introduce itself at several points, one
// after the other, until the service comes.
type Client struct {
	eph *x25519.KeyPair
}

// NewClient makes the client's key.
func NewClient(rand io.Reader) (*Client, error) {
	eph, err := x25519.Generate(rand)
	if err != nil {
		return nil, fmt.Errorf("hs-ntor: %w", err)
	}
	return &Client{eph}, nil
}

// Introduce makes the body of an INTRODUCE1 message. subcredential is that of the time period of the descriptor.
func (c *Client) Introduce(at Intro, subcredential [32]byte, m relaymsg.IntroducePlaintext) ([]byte, error) {
	// Neither may ever go out unset: the rendezvous point could answer in place of the service (C tor's bug 41297).
	switch {
	case c.eph == nil:
		return nil, fmt.Errorf("introduction: %w", ErrUsed)
	case m.Cookie == [20]byte{}:
		return nil, fmt.Errorf("introduction: %w", ErrNoCookie)
	}
	head, err := relaymsg.Introduce{AuthKey: at.AuthKey}.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	text, err := m.AppendTo(nil)
	if err != nil {
		return nil, err
	}
	if n := minIntroduce1 - len(head) - len(text); n > 0 {
		text = append(text, make([]byte, n)...)
	}
	in := intro{authKey: at.AuthKey, X: c.eph.Public(), B: at.EncKey}
	var ok bool
	in.Bx, ok = c.eph.Shared(&at.EncKey)
	keys := in.keys(subcredential)
	clear(in.Bx[:])
	if !ok {
		return nil, fmt.Errorf("encryption key of an introduction point: %w", ErrWeakKey)
	}
	keys.crypt(text)
	encrypted := append(in.X[:], text...)
	code := mac(keys.mac[:], head, encrypted)
	return relaymsg.Introduce{AuthKey: at.AuthKey, Encrypted: append(encrypted, code[:]...)}.AppendTo(nil)
}

// Finish checks the service's answer to an introduction at a point, and returns the keys that are shared with the service. If
// it succeeds, c is of no more use.
func (c *Client) Finish(at Intro, m relaymsg.Rendezvous2) (*kdf.Keys, error) {
	if c.eph == nil {
		return nil, fmt.Errorf("RENDEZVOUS2: %w", ErrUsed)
	}
	r := rend{authKey: at.AuthKey, B: at.EncKey, X: c.eph.Public(), Y: m.Y}
	// Everything is computed before anything is judged, so that the time tells nothing.
	var okY, okB bool
	r.Xy, okY = c.eph.Shared(&r.Y)
	r.Xb, okB = c.eph.Shared(&r.B)
	auth, keys := r.derive()
	r.wipe()
	okAuth := subtle.ConstantTimeCompare(auth[:], m.Auth[:]) == 1
	switch {
	case !okY || !okB:
		keys.Wipe()
		return nil, fmt.Errorf("RENDEZVOUS2: %w", ErrWeakKey)
	case !okAuth:
		keys.Wipe()
		return nil, fmt.Errorf("RENDEZVOUS2: %w", ErrAuth)
	}
	c.Wipe()
	return keys, nil
}

// Wipe forgets the client's key. A client that is not needed any more is wiped.
func (c *Client) Wipe() {
	if c.eph != nil {
		c.eph.Wipe()
		c.eph = nil
	}
}
