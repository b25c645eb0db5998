package link

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// An authBinding is all that the initiator's proof of identity is bound to: both ends, all that they have said, and the
// TLS connection.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html#AUTHENTICATE-cells
type authBinding struct {
	initiator, responder torcert.Identities
	responderLog         [32]byte // SHA-256 of all that the responder sent, AUTH_CHALLENGE being the last
	initiatorLog         [32]byte // SHA-256 of all that the initiator sent before AUTHENTICATE
	tlsCert              [32]byte // SHA-256 of the responder's TLS certificate
	tlsSecrets           []byte   // exported from the TLS connection
}

const (
	authTag      = "AUTH0003"
	authLabel    = "EXPORTER FOR TOR TLS CLIENT BINDING AUTH0003"
	authRandom   = 24
	authBoundLen = len(authTag) + 8*32
	authLen      = authBoundLen + authRandom + ed25519.SignatureSize
)

// export takes tlsSecrets from the connection. The initiator's identity is the context.
func (b *authBinding) export(conn SecureConn) (err error) {
	b.tlsSecrets, err = conn.ExportKeyingMaterial(authLabel, b.initiator.RSA256[:], 32)
	if err != nil {
		return fmt.Errorf("TLS exporter: %w", err)
	}
	return nil
}

// bound returns the part of AUTHENTICATE that both ends can compute.
func (b *authBinding) bound() []byte {
	out := make([]byte, 0, authLen)
	out = append(out, authTag...)
	for _, part := range [][]byte{
		b.initiator.RSA256[:], b.responder.RSA256[:], b.initiator.Ed[:], b.responder.Ed[:],
		b.responderLog[:], b.initiatorLog[:], b.tlsCert[:], b.tlsSecrets,
	} {
		out = append(out, part...)
	}
	return out
}

// sign makes the body of AUTHENTICATE.
func (b *authBinding) sign(auth crypto.Signer) ([]byte, error) {
	out := b.bound()
	out = out[:len(out)+authRandom]
	rand.Read(out[len(out)-authRandom:])
	sig, err := auth.Sign(rand.Reader, out, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("AUTHENTICATE: %w", err)
	}
	return cell.Authenticate{Type: cell.AuthEd25519SHA256RFC5705, Body: append(out, sig...)}.AppendTo(nil)
}

// verify checks what the initiator sent. key is the one that its CERTS cell certifies.
func (b *authBinding) verify(m cell.Authenticate, key ed25519.PublicKey) error {
	if m.Type != cell.AuthEd25519SHA256RFC5705 {
		return violation("AUTHENTICATE of type %d", m.Type)
	}
	if len(m.Body) < authLen { // bytes at the end are for later versions
		return violation("AUTHENTICATE of %d bytes", len(m.Body))
	}
	body := m.Body[:authLen]
	if subtle.ConstantTimeCompare(body[:authBoundLen], b.bound()) != 1 {
		return violation("AUTHENTICATE is bound to another link")
	}
	signed, sig := body[:authLen-ed25519.SignatureSize], body[authLen-ed25519.SignatureSize:]
	if !ed25519.Verify(key, signed, sig) {
		return violation("AUTHENTICATE with a bad signature")
	}
	return nil
}
