package simnet

import (
	"bytes"
	_ "embed"
	"encoding/pem"
	"sync"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// keysPEM is a key for TLS, and then keys of relays. To make them anew for each network would take longer than all else.
//
//go:embed keys.pem
var keysPEM []byte

const tlsBits = 2048

// pool is the keys that are ready, of all networks of the process.
var pool struct {
	sync.Mutex
	tls    *keyfile.RSASecret
	relays []*keyfile.RSASecret
}

// loadPoolLocked reads keysPEM.
func loadPoolLocked() {
	for rest := keysPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return
		}
		key := must(keyfile.ParseRSA(pem.EncodeToMemory(block), rsakey.RelayBits, tlsBits))
		if pool.tls == nil {
			pool.tls = key
		} else {
			pool.relays = append(pool.relays, key)
		}
	}
}

// relayKey is the identity of relay i, the same in each network; it is made if there are too few.
func relayKey(i int) *keyfile.RSASecret {
	pool.Lock()
	defer pool.Unlock()
	if pool.tls == nil {
		loadPoolLocked()
	}
	for len(pool.relays) <= i {
		pool.relays = append(pool.relays, must(keyfile.GenerateRSA(rsakey.RelayBits)))
	}
	return pool.relays[i]
}

// sharedRSA is the key for all that needs no key of its own. It is for relaykeys.Config: with identities given, what is left is
// TLS certificates, and onion keys that nobody uses.
func sharedRSA(bits int) (*keyfile.RSASecret, error) {
	first := relayKey(0)
	if bits == tlsBits {
		return pool.tls, nil
	}
	return first, nil
}

// must panics on errors that only a bug in this package can cause.
func must[T any](v T, err error) T {
	if err != nil {
		panic("simnet: " + err.Error())
	}
	return v
}

// pemRSA is a key as key files have it.
func pemRSA(key *keyfile.RSASecret) []byte { return bytes.Clone(must(key.AppendTo(nil))) }
