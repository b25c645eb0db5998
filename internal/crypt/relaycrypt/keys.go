package relaycrypt

import (
	"crypto/sha1"
	"fmt"

	"github.com/tropea-net/tropea/internal/crypt/aesctr"
)

// TorOneKeyLen is the length in bytes of the key material of a tor1 hop.
const TorOneKeyLen = 2*sha1.Size + 2*aesctr.KeyLen

// Keys are the key material of one hop, as a handshake gives it. Forward is the way from client to relay.
type Keys struct {
	kind   kind
	Df, Db []byte // seeds of the digests, forward and backward
	Kf, Kb []byte // keys of the ciphers
}

// ParseTor1 divides the material of a tor1 hop. The parts alias it; once the layers are made it should be wiped.
//
// https://spec.torproject.org/tor-spec/setting-circuit-keys.html
func ParseTor1(material []byte) (Keys, error) {
	if len(material) != TorOneKeyLen {
		return Keys{}, fmt.Errorf("tor1 keys of %d bytes: %w", len(material), ErrKeyLength)
	}
	return divide(kindTor1, material, sha1.Size, aesctr.KeyLen), nil
}

// ParseHS divides the material of a hop between an onion service and its client, which the service's handshake gives. Forward is
// the way from client to service.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func ParseHS(material []byte) (Keys, error) {
	if len(material) != HSKeyLen {
		return Keys{}, fmt.Errorf("onion service keys of %d bytes: %w", len(material), ErrKeyLength)
	}
	return divide(kindHSv3, material, hsDigestLen, hsKeyLen), nil
}

// divide splits key material into two seeds of d bytes and two keys of k bytes.
func divide(kind kind, material []byte, d, k int) Keys {
	return Keys{
		kind: kind,
		Df:   material[:d:d], Db: material[d : 2*d : 2*d],
		Kf: material[2*d : 2*d+k : 2*d+k], Kb: material[2*d+k:],
	}
}

// Reversed are the keys as the other end uses them, where that end is at the origin of a circuit, too: an onion service.
func (k Keys) Reversed() Keys {
	k.Df, k.Db, k.Kf, k.Kb = k.Db, k.Df, k.Kb, k.Kf
	return k
}

// Forward makes the layer for cells from the client to the relay. Each layer is to be used once: two of one key would
// encrypt two cells alike.
func (k Keys) Forward() Layer { return newLayer(k.kind, k.Df, k.Kf) }

// Backward makes the layer for cells from the relay to the client.
func (k Keys) Backward() Layer { return newLayer(k.kind, k.Db, k.Kb) }
