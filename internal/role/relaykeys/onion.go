package relaykeys

import (
	"time"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// onion is the onion keys: the one of the descriptor, and the one before it.
type onion struct {
	current, previous *keyfile.OnionSecret // previous is nil once the grace period is over

	// tap is the RSA onion key. No handshake uses it, but authorities want to see one in descriptors.
	tap *keyfile.RSASecret

	rotated time.Time // when current was made
	old     bool      // there may be files of previous keys
	retry   time.Time // not before this, after a failure

	pairs []*x25519.KeyPair // for handshakes: current, previous
}

func (k *Keyring) loadOnion(r *Report) (err error) {
	o := &k.onion
	o.rotated = k.cfg.OnionRotated
	if o.tap, _, err = k.rsaKey(fileTAP); err != nil {
		return err
	}
	if o.current, err = loadFull(k.files, fileNtor, keyfile.ParseOnion); err != nil {
		return err
	}
	if o.current == nil {
		if o.current, err = k.newNtor(); err != nil {
			return err
		}
		o.rotated = time.Time{}
	}
	// The relay works without it, as C tor does.
	if o.previous, err = loadFull(k.files, fileNtor+suffixOld, keyfile.ParseOnion); err != nil {
		r.warn(err)
	}
	if o.previous != nil && o.previous.Public() == o.current.Public() {
		o.previous = nil // a kill in the midst of a rotation
	}
	o.old = o.previous != nil || k.files.exists(fileNtor+suffixOld) || k.files.exists(fileTAP+suffixOld)
	o.pair()
	r.Onion = true
	return nil
}

func (k *Keyring) newNtor() (*keyfile.OnionSecret, error) {
	key := keyfile.GenerateOnion()
	b, err := key.AppendTo(nil)
	return key, k.files.write(fileNtor, b, err)
}

func (o *onion) pair() {
	o.pairs = nil
	for _, key := range []*keyfile.OnionSecret{o.current, o.previous} {
		if key == nil {
			continue
		}
		secret := key.Key().Bytes()
		o.pairs = append(o.pairs, x25519.FromSecret((*[32]byte)(secret)))
		clear(secret)
	}
}

// onionDue is when the onion key must be replaced.
func (k *Keyring) onionDue() time.Time {
	return later(k.onion.rotated.Add(k.cfg.OnionRotation), k.onion.retry)
}

// graceDue is when the key before it must be forgotten; the zero time if there is none.
func (k *Keyring) graceDue() time.Time {
	if !k.onion.old {
		return time.Time{}
	}
	return later(k.onion.rotated.Add(k.cfg.OnionGrace), k.onion.retry)
}

func (k *Keyring) advanceOnion(r *Report, now time.Time) {
	o := &k.onion
	if o.rotated.IsZero() || o.rotated.After(now) {
		o.rotated = now // a clock that was once wrong must not keep a key in use for years
	}
	if o.retry.After(now.Add(writeRetry)) {
		o.retry = time.Time{}
	}
	var err error
	if grace := k.graceDue(); !grace.IsZero() && !now.Before(grace) {
		err = k.expireOnion(r)
	}
	if err == nil && !now.Before(k.onionDue()) {
		err = k.rotateOnion(r, now)
	}
	if err != nil {
		r.warn(err)
		o.retry = now.Add(writeRetry)
	}
}

// expireOnion forgets the previous key.
func (k *Keyring) expireOnion(r *Report) error {
	o := &k.onion
	if o.previous != nil {
		o.previous, r.Onion = nil, true
		o.pair()
	}
	for _, name := range []string{fileTAP, fileNtor} {
		if err := k.files.remove(name + suffixOld); err != nil {
			return err
		}
	}
	o.old = false
	return nil
}

// rotateOnion replaces the onion keys. The ntor key goes last: once it is replaced, nothing is left that a restart would do
// again.
func (k *Keyring) rotateOnion(r *Report, now time.Time) error {
	o := &k.onion
	b, err := o.tap.AppendTo(nil)
	if err := k.files.write(fileTAP+suffixOld, b, err); err != nil {
		return err
	}
	o.old = true
	if o.tap, err = replaced(o.tap, func() (*keyfile.RSASecret, error) { return k.newRSA(fileTAP) }); err != nil {
		return err
	}
	b, err = o.current.AppendTo(nil)
	if err := k.files.write(fileNtor+suffixOld, b, err); err != nil {
		return err
	}
	next, err := k.newNtor()
	if err != nil {
		return err
	}
	o.previous, o.current = o.current, next
	o.rotated, o.retry = now, time.Time{}
	o.pair()
	r.Onion, r.Rotated = true, true
	return nil
}

// replaced returns what next returns, or old if that fails.
func replaced[T any](old *T, next func() (*T, error)) (*T, error) {
	v, err := next()
	if err != nil {
		return old, err
	}
	return v, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
