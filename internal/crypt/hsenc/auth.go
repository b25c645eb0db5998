package hsenc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"crypto/subtle"
	"fmt"
	"io"
	mathrand "math/rand/v2"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
)

// Auth is who may read the descriptors of a service in a time period.
//
// https://spec.torproject.org/rend-spec/hsdesc-encrypt.html#client-auth
type Auth struct {
	subcredential [32]byte
	middle        hsdesc.Middle // without the encrypted part
	cookie        []byte        // nil: everybody who knows the address
}

// NewAuth authorizes the clients with the given X25519 keys, or everybody if there are none. Either way the descriptor has
// entries of clients that do not exist.
func NewAuth(rand io.Reader, subcredential [32]byte, clients [][32]byte) (*Auth, error) {
	a, err := newAuth(rand, subcredential, clients)
	if err != nil {
		return nil, fmt.Errorf("client authorization: %w", err)
	}
	return a, nil
}

func newAuth(rand io.Reader, subcredential [32]byte, clients [][32]byte) (*Auth, error) {
	eph, err := x25519.Generate(rand)
	if err != nil {
		return nil, err
	}
	defer eph.Wipe()
	a := &Auth{subcredential: subcredential, middle: hsdesc.Middle{EphemeralKey: eph.Public()}}
	if len(clients) > 0 {
		a.cookie = make([]byte, len(hsdesc.AuthClient{}.Cookie))
		if _, err := io.ReadFull(rand, a.cookie); err != nil {
			return nil, err
		}
	}
	const m = hsdesc.AuthClientMultiple
	list := make([]hsdesc.AuthClient, max(1, (len(clients)+m-1)/m)*m)
	for i := range list {
		c := &list[i]
		// All of it random: that is what an entry of nobody is.
		for _, field := range [][]byte{c.ID[:], c.IV[:], c.Cookie[:]} {
			if _, err := io.ReadFull(rand, field); err != nil {
				return nil, err
			}
		}
		if i >= len(clients) {
			continue
		}
		k, ok := clientKeysOf(subcredential, eph, clients[i])
		if !ok {
			return nil, fmt.Errorf("client %d: %w", i, ErrWeakKey)
		}
		c.ID = k.id
		k.crypt(c.Cookie[:], c.IV[:], a.cookie)
	}
	// The order of the list is nobody's business.
	var seed [32]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, err
	}
	mathrand.New(mathrand.NewChaCha8(seed)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	a.middle.Clients = list
	return a, nil
}

// clientKeys are what client and service share.
type clientKeys struct {
	id  [8]byte
	key [32]byte // AES-256, for the cookie
}

func clientKeysOf(subcredential [32]byte, mine *x25519.KeyPair, other [32]byte) (k clientKeys, ok bool) {
	seed, ok := mine.Shared(&other)
	defer clear(seed[:])
	x := sha3.NewSHAKE256()
	x.Write(subcredential[:])
	x.Write(seed[:])
	x.Read(k.id[:])
	x.Read(k.key[:])
	return k, ok
}

func (k *clientKeys) crypt(dst, iv, src []byte) {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		panic("hsenc: " + err.Error()) // only a wrong length is an error
	}
	cipher.NewCTR(block, iv).XORKeyStream(dst, src)
}

// cookieFor finds the cookie that the middle layer has for a client; nil if it has none.
func cookieFor(m *hsdesc.Middle, subcredential [32]byte, client *x25519.KeyPair) []byte {
	k, ok := clientKeysOf(subcredential, client, m.EphemeralKey)
	defer clear(k.key[:])
	if !ok {
		return nil
	}
	for i := range m.Clients {
		if c := &m.Clients[i]; subtle.ConstantTimeCompare(c.ID[:], k.id[:]) == 1 {
			cookie := make([]byte, len(c.Cookie))
			k.crypt(cookie, c.IV[:], c.Cookie[:])
			return cookie
		}
	}
	return nil
}
