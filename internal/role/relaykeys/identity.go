package relaykeys

import (
	"crypto/sha1"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// identity is who the relay is. It never changes.
type identity struct {
	rsa *keyfile.RSASecret
	ed  [32]byte
}

func parseRelayRSA(b []byte) (*keyfile.RSASecret, error) {
	return keyfile.ParseRSA(b, rsakey.RelayBits, rsakey.RelayBits)
}

// rsaKey loads an RSA key, or makes it.
func (k *Keyring) rsaKey(name string) (key *keyfile.RSASecret, made bool, err error) {
	key, err = loadFull(k.files, name, parseRelayRSA)
	if key != nil || err != nil {
		return key, false, err
	}
	key, err = k.newRSA(name)
	return key, true, err
}

func (k *Keyring) newRSA(name string) (*keyfile.RSASecret, error) {
	key, err := k.cfg.NewRSA(rsakey.RelayBits)
	if err != nil {
		return nil, k.files.fail(name, err, "")
	}
	b, err := key.AppendTo(nil)
	return key, k.files.write(name, b, err)
}

func (k *Keyring) loadRSA(r *Report) (err error) {
	k.id.rsa, r.NewRelay, err = k.rsaKey(fileRSA)
	return err
}

// writeFingerprints writes the files that tell operators who their relay is.
func (id *identity) writeFingerprints(f files, cfg *Config) error {
	fp := keyfile.Fingerprint{Nickname: cfg.Nickname, RSA: id.rsa.Fingerprint()}
	b, err := fp.AppendTo(nil)
	if err := f.writeChanged(fileFingerprint, b, err); err != nil {
		return err
	}
	b, err = keyfile.EdFingerprint{Nickname: cfg.Nickname, Ed: id.ed}.AppendTo(nil)
	if err := f.writeChanged(fileEdFingerprint, b, err); err != nil || !cfg.Bridge {
		return err
	}
	fp.RSA = sha1.Sum(fp.RSA[:])
	b, err = fp.AppendTo(nil)
	return f.writeChanged(fileHashed, b, err)
}
