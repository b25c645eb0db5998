package fakepeer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/ntor"
	"github.com/tropea-net/tropea/internal/crypt/ntorv3"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// An Identity is all keys of one relay.
type Identity struct {
	keys  *torcert.LinkKeys
	tls   *ecdsa.PrivateKey
	onion *x25519.KeyPair
}

// signingExpires is when the signing keys of identities expire. It is far off, so that they serve at any virtual time.
var signingExpires = time.Date(2100, time.January, 1, 0, 0, 0, 0, time.UTC)

// NewIdentity makes the keys of a new relay. That takes a while: see [Identities].
func NewIdentity() *Identity {
	id := must(rsa.GenerateKey(rand.Reader, 1024))
	master := ed25519.NewKeyFromSeed(randomBytes(ed25519.SeedSize))
	signing := ed25519.NewKeyFromSeed(randomBytes(ed25519.SeedSize))
	cert := torcert.Cert{
		Type: torcert.TypeIDSigning, Expires: signingExpires, KeyType: torcert.KeyEd25519,
		Key:        [32]byte(signing.Public().(ed25519.PublicKey)),
		SignedWith: (*[32]byte)(master.Public().(ed25519.PublicKey)),
	}
	return &Identity{
		keys:  &torcert.LinkKeys{RSA: id, Signing: signing, IDCert: must(cert.Sign(master))},
		tls:   must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		onion: must(x25519.Generate(rand.Reader)),
	}
}

var cache struct {
	sync.Mutex
	ids []*Identity
}

// Credentials are what a relay of this repository proves an identity with: the fields of link.Credentials, which they can be
// converted to.
type Credentials struct {
	RSA    [20]byte
	RSA256 [32]byte
	Ed     [32]byte

	TLS       *tls.Certificate
	Responder []torcert.Entry
	Initiator []torcert.Entry
	Auth      crypto.Signer
}

// tlsKey is an RSA key as C tor has it for links. It takes a while to make, and one serves for all.
var tlsKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

// Credentials makes the credentials of a relay that has the identity.
func (id *Identity) Credentials() *Credentials {
	now, auth := time.Now(), ed25519.NewKeyFromSeed(randomBytes(ed25519.SeedSize))
	cert, responder, err := id.keys.Responder(rand.Reader, &tlsKey().PublicKey, now, 30*24*time.Hour)
	if err != nil {
		panic("fakepeer: " + err.Error())
	}
	return &Credentials{
		RSA: id.RSA(), RSA256: sha256.Sum256(x509.MarshalPKCS1PublicKey(&id.keys.RSA.PublicKey)), Ed: id.Ed(),
		TLS:       &tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: tlsKey()},
		Responder: responder, Initiator: must(id.keys.Initiator(rand.Reader, [32]byte(auth.Public().(ed25519.PublicKey)), now)), Auth: auth,
	}
}

// Identities returns n identities. They are the same at every call, and made once in the life of the process.
func Identities(n int) []*Identity {
	cache.Lock()
	defer cache.Unlock()
	for len(cache.ids) < n {
		cache.ids = append(cache.ids, NewIdentity())
	}
	return cache.ids[:n:n]
}

// RSA returns the digest of the RSA identity key.
func (id *Identity) RSA() [20]byte {
	return sha1.Sum(x509.MarshalPKCS1PublicKey(&id.keys.RSA.PublicKey))
}

// Ed returns the Ed25519 identity.
func (id *Identity) Ed() [32]byte { return *id.keys.IDCert.SignedWith }

// NTor returns the onion key.
func (id *Identity) NTor() [32]byte { return id.onion.Public() }

// Keys returns the keys with which the relay proves on links who it is.
func (id *Identity) Keys() *torcert.LinkKeys { return id.keys }

// answer does the relay's side of the handshake in a CREATE2 cell or an EXTEND2 message. ext is the list of extensions
// that an ntor-v3 answer carries.
func (id *Identity) answer(kind cell.HandshakeType, data, ext []byte) ([]byte, *kdf.Keys, error) {
	onion := []*x25519.KeyPair{id.onion}
	if kind == cell.HandshakeNTor {
		reply, keys, err := ntor.ServerReply(rand.Reader, id.RSA(), onion, data)
		return reply[:], keys, err
	}
	server, _, err := ntorv3.ServerOpen(id.Ed(), onion, ntorv3.Circuit, data)
	if err != nil {
		return nil, nil, err
	}
	return server.Reply(rand.Reader, ext)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// must panics on errors that only a bug in this package can cause.
func must[T any](v T, err error) T {
	if err != nil {
		panic("fakepeer: " + err.Error())
	}
	return v
}
