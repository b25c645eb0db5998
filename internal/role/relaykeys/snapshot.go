package relaykeys

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// A Snapshot is the keys of a moment. It is immutable, and safe for concurrent use; what its methods return must not be
// changed either.
type Snapshot struct {
	get func() *contents // a func, since fmt walks into the unexported fields of structs that hold a Snapshot
}

type contents struct {
	id       identity
	key      *keyfile.EdSecret
	cert     *torcert.Cert
	link     *Link
	onion    onion
	family   []family
	ntorLife time.Duration
}

// publish makes the keys of now those of everyone.
func (k *Keyring) publish() {
	c := &contents{
		id: k.id, key: k.sign.key, cert: k.sign.cert, link: k.links.link, onion: k.onion, family: k.family,
		ntorLife: k.cfg.OnionRotation,
	}
	k.current.Store(&Snapshot{func() *contents { return c }})
}

// RSA returns the RSA identity key.
func (s *Snapshot) RSA() *keyfile.RSASecret { return s.get().id.rsa }

// Fingerprint returns the digest of the RSA identity key, by which the relay is known.
func (s *Snapshot) Fingerprint() [20]byte { return s.get().id.rsa.Fingerprint() }

// Ed returns the Ed25519 identity.
func (s *Snapshot) Ed() [32]byte { return s.get().id.ed }

// Signing returns the signing key, a crypto.Signer.
func (s *Snapshot) Signing() *keyfile.EdSecret { return s.get().key }

// SigningCert returns the certificate, of type 4, by which the Ed25519 identity vouches for the signing key.
func (s *Snapshot) SigningCert() *torcert.Cert { return s.get().cert }

// Link returns what the relay shows on its links.
func (s *Snapshot) Link() *Link { return s.get().link }

// OnionKeys returns the keys for ntor handshakes: the current one, and the previous one if it is still good.
func (s *Snapshot) OnionKeys() []*x25519.KeyPair { return s.get().onion.pairs }

// OnionKey returns the key for ntor handshakes with the given public key, or nil.
func (s *Snapshot) OnionKey(public [32]byte) *x25519.KeyPair {
	return x25519.Find(s.get().onion.pairs, public)
}

// FamilyIDs returns the public family keys.
func (s *Snapshot) FamilyIDs() [][32]byte {
	var ids [][32]byte
	for _, f := range s.get().family {
		ids = append(ids, f.key.ID())
	}
	return ids
}

// Descriptor returns the keys with which [routerdesc.Make] makes the relay's descriptor: it adds the cross-certificates of
// the onion keys and the certificates of the families. tap says whether to publish an RSA onion key, which the consensus
// parameter publish-dummy-tap-key decides; the default is yes. For a bridge, families should be left out of the result.
func (s *Snapshot) Descriptor(tap bool) *routerdesc.Keys {
	c := s.get()
	k := &routerdesc.Keys{
		Identity: c.id.rsa.Key(), Signing: c.key, SigningCert: c.cert,
		Ntor: c.onion.current.Key(), NtorLife: c.ntorLife,
		Family: signers(c.family),
	}
	if tap {
		k.Onion = c.onion.tap.Key()
	}
	return k
}

// Format prints the fingerprint alone, whatever the verb.
func (s Snapshot) Format(f fmt.State, _ rune) {
	fp := s.Fingerprint()
	io.WriteString(f, "keys of "+hex.EncodeToString(fp[:]))
}
