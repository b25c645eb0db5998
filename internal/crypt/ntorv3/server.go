package ntorv3

import (
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
)

// Server is the state of a relay that has read the client's message and not replied yet.
type Server struct{ exchange }

// ServerOpen reads a client's handshake as the relay of the given Ed25519 identity, and returns the message in it. onion
// are the onion keys that are still accepted: the current one and those before it in their time of grace.
func ServerOpen(id [32]byte, onion []*x25519.KeyPair, verification string, handshake []byte) (*Server, []byte, error) {
	if len(handshake) < ClientOverhead {
		return nil, nil, fmt.Errorf("ntor v3 handshake: %w", ErrTruncated)
	}
	s := &Server{exchange{
		id:     [32]byte(handshake),
		B:      [32]byte(handshake[32:]),
		X:      [32]byte(handshake[64:]),
		verify: encap(nil, verification),
	}}
	encrypted := handshake[96 : len(handshake)-32]
	s.mac = [32]byte(handshake[len(handshake)-32:])

	// Identity and onion key are public, and the client sent them in the clear: no need to hide which of them matched.
	if s.id != id {
		return nil, nil, fmt.Errorf("ntor v3 handshake: %w", ErrOtherRelay)
	}
	b := x25519.Find(onion, s.B)
	if b == nil {
		return nil, nil, fmt.Errorf("ntor v3 handshake: %w", ErrUnknownKey)
	}
	var okX bool
	s.bx, okX = b.Shared(&s.X)
	encKey, macKey := s.phase1()
	defer clear(encKey)
	want := s.clientMAC(macKey, encrypted)
	clear(macKey)
	okMAC := subtle.ConstantTimeCompare(want[:], s.mac[:]) == 1
	switch {
	case !okX:
		return nil, nil, fmt.Errorf("ntor v3 handshake: %w", ErrWeakKey)
	case !okMAC:
		return nil, nil, fmt.Errorf("ntor v3 handshake: %w", ErrAuth)
	}
	return s, crypt(encKey, encrypted), nil
}

// Reply finishes the handshake: it returns what to send to the client, msg in it, and the keys that are shared with the
// client. It may be called once.
func (s *Server) Reply(rand io.Reader, msg []byte) ([]byte, *kdf.Keys, error) {
	eph, err := x25519.Generate(rand)
	if err != nil {
		return nil, nil, fmt.Errorf("ntor v3: %w", err)
	}
	return s.reply(eph, msg)
}

func (s *Server) reply(eph *x25519.KeyPair, msg []byte) ([]byte, *kdf.Keys, error) {
	s.Y = eph.Public()
	var ok bool
	s.xy, ok = eph.Shared(&s.X)
	eph.Wipe()
	r := s.phase2()
	defer clear(r.encKey)
	if !ok {
		r.keys.Wipe()
		return nil, nil, fmt.Errorf("ntor v3 handshake: %w", ErrWeakKey)
	}
	encrypted := crypt(r.encKey, msg)
	auth := s.auth(r.verify[:], encrypted)
	out := make([]byte, 0, ServerOverhead+len(msg))
	for _, part := range [][]byte{s.Y[:], auth[:], encrypted} {
		out = append(out, part...)
	}
	return out, r.keys, nil
}
