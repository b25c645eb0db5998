package hsenc

import (
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
)

// Open decrypts and parses what is inside a descriptor. client is the key with which the service authorizes us, or nil. It is
// no error to have a key that the service does not ask for.
//
// Whoever calls this has checked that the descriptor's blinded key is the one that was looked for.
func Open(o *hsdesc.Outer, subcredential [32]byte, client *x25519.KeyPair, now time.Time) (*hsdesc.Inner, error) {
	in, err := open(o, subcredential, client, now)
	if err != nil {
		return nil, fmt.Errorf("onion service descriptor: %w", err)
	}
	return in, nil
}

func open(o *hsdesc.Outer, subcredential [32]byte, client *x25519.KeyPair, now time.Time) (*hsdesc.Inner, error) {
	l := layer{purpose: middleString, blinded: *o.BlindedKey(), subcredential: subcredential, revision: o.Revision}
	text, ok := l.open(o.Superencrypted)
	switch {
	case !ok:
		return nil, fmt.Errorf("superencrypted layer: %w", ErrLayer)
	case len(text) == 0:
		return nil, fmt.Errorf("superencrypted layer: %w", ErrEmpty)
	}
	m, err := hsdesc.ParseMiddle(text)
	if err != nil {
		return nil, err
	}
	l.purpose = innerString
	if client != nil {
		l.cookie = cookieFor(m, subcredential, client)
		defer clear(l.cookie)
	}
	text, ok = l.open(m.Encrypted)
	switch {
	case !ok && client == nil:
		return nil, ErrNeedClient
	case !ok:
		return nil, ErrBadClient
	case len(text) == 0:
		return nil, fmt.Errorf("encrypted layer: %w", ErrEmpty)
	}
	return hsdesc.ParseInner(text, o.Cert.Key, now)
}
