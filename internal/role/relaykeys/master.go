package relaykeys

import (
	"crypto/ed25519"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

func parseMasterSecret(b []byte) (*keyfile.EdSecret, error) {
	return keyfile.ParseEdSecret(b, keyfile.TagMaster)
}

func parseMasterPublic(b []byte) (*[32]byte, error) {
	pub, err := keyfile.ParseEdPublic(b, keyfile.TagMaster)
	return &pub, err
}

// readMaster reads the secret master key; it is nil if it is not here, or shall not be touched. The caller wipes it.
func (k *Keyring) readMaster() (*keyfile.EdSecret, error) {
	if k.cfg.OfflineMasterKey {
		return nil, nil
	}
	return load(k.files, fileMasterSecret, parseMasterSecret)
}

// loadEd finds out what the Ed25519 identity is, or makes one, and loads the signing key, if there is one.
//
// It follows load_ed_keys in C tor, but is more careful: C tor makes a new identity if the master key is not there and the
// signing key is damaged.
func (k *Keyring) loadEd(r *Report) error {
	sign, damage := k.readSigning()
	pub, err := load(k.files, fileMasterPublic, parseMasterPublic)
	if err != nil {
		return err
	}
	secret, err := k.readMaster()
	if err != nil {
		return err
	}
	if secret == nil {
		secret, err = k.newMaster(r, pub == nil && sign.key == nil, damage)
		if err != nil {
			return err
		}
	}
	switch {
	case secret != nil:
		defer secret.Wipe()
		if pub != nil && *pub != secret.ID() {
			return k.files.mismatch(k.files.prefix + fileMasterSecret)
		}
		k.id.ed = secret.ID()
	case pub != nil:
		k.id.ed = *pub
	default:
		k.id.ed = *sign.cert.SignedWith
	}
	if sign.key != nil && !signedBy(&sign, k.id.ed) {
		return k.files.fail(fileSigningCert, fmt.Errorf("%w: the master key did not sign it", ErrMismatch), adviceBackup)
	}
	k.sign, k.sign.damage = sign, damage
	if pub != nil {
		return nil
	}
	b, err := keyfile.AppendEdPublic(nil, keyfile.TagMaster, k.id.ed)
	return k.files.write(fileMasterPublic, b, err)
}

// mismatch is the error if the public master key belongs to another secret key than that of a file. Scripts look for the
// words.
func (f files) mismatch(secret string) error {
	return f.fail(fileMasterPublic, fmt.Errorf("%w: %s%s does not match %s", ErrMismatch, f.prefix, fileMasterPublic, secret),
		"put back the right one; if the secret key is right, remove this file")
}

func signedBy(s *signing, ed [32]byte) bool {
	return *s.cert.SignedWith == ed && s.cert.VerifySignature(ed25519.PublicKey(ed[:])) == nil
}

// newMaster makes a master key, if nothing tells that there ever was one.
func (k *Keyring) newMaster(r *Report, wanted bool, damage error) (*keyfile.EdSecret, error) {
	switch {
	case !wanted:
		return nil, nil
	case damage != nil:
		return nil, damage // a key that some master key signed
	case k.cfg.OfflineMasterKey:
		return nil, k.files.fail(fileSigning, ErrMissing, k.keygenAdvice())
	case k.files.exists(fileMasterBox):
		return nil, k.files.fail(fileMasterPublic, ErrMissing,
			"found an encrypted secret key, but not public key file: run --keygen and enter the passphrase")
	}
	secret := keyfile.GenerateEd()
	b, err := secret.AppendTo(nil, keyfile.TagMaster)
	if err := k.files.write(fileMasterSecret, b, err); err != nil {
		secret.Wipe()
		return nil, err
	}
	r.NewRelay = true
	return secret, nil
}

// keygenAdvice says what to do where only the operator can make a signing key, since the master key is not at hand. Scripts
// look for the first words.
func (k *Keyring) keygenAdvice() string {
	const elsewhere = `run --keygen where the master key is, and copy ` + fileSigning + ` and ` + fileSigningCert + ` here`
	needed := "We needed to load a secret key from " + k.files.prefix + fileMasterSecret
	switch {
	case k.cfg.OfflineMasterKey:
		return "the master key is kept offline (OfflineMasterKey is set): " + elsewhere
	case k.files.exists(fileMasterSecret):
		return "" // a new signing key will be made
	case k.files.exists(fileMasterBox):
		return needed + ", but it was encrypted: run --keygen and enter the passphrase"
	}
	return needed + ", but couldn't find it: put it back, or " + elsewhere
}
