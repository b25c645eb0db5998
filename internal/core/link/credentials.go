package link

import (
	"crypto"
	"crypto/tls"

	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// Credentials are what a relay proves its identities with, on the links that it accepts and on those that it makes. They
// do not change once made; a relay makes new ones from time to time.
type Credentials struct {
	RSA    [20]byte // SHA-1 of the RSA identity key
	RSA256 [32]byte // SHA-256 of it
	Ed     [32]byte // Ed25519 identity

	TLS       *tls.Certificate // shown in TLS to who connects to us
	Responder []torcert.Entry  // CERTS to who connects to us; proves TLS
	Initiator []torcert.Entry  // CERTS to whom we connect to; proves Auth
	Auth      crypto.Signer    // Ed25519: signs AUTHENTICATE
}

// ids are the identities that the credentials prove.
func (c *Credentials) ids() torcert.Identities {
	return torcert.Identities{RSA: c.RSA, RSA256: c.RSA256, Ed: c.Ed, HasEd: true}
}
