package relaymsg

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Rendezvous2 brings a service's half of the handshake to the client.
//
//	Y 32 | AUTH 32
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
type Rendezvous2 struct {
	Y    [32]byte // the service's ephemeral Curve25519 key
	Auth [32]byte // proves that the service derived the same keys
}

// ParseRendezvous2 parses the body of a RENDEZVOUS2 message, or the handshake in a RENDEZVOUS1 message.
func ParseRendezvous2(body []byte) (m Rendezvous2, err error) {
	s := cryptobyte.String(body)
	if !s.CopyBytes(m.Y[:]) || !s.CopyBytes(m.Auth[:]) {
		return Rendezvous2{}, fmt.Errorf("RENDEZVOUS2: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m Rendezvous2) AppendTo(dst []byte) ([]byte, error) {
	dst = append(dst, m.Y[:]...)
	return append(dst, m.Auth[:]...), nil
}
