package relaykeys

import (
	"errors"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// signing is the signing key, and the certificate by which the master key vouches for it. Both or none are there.
type signing struct {
	key  *keyfile.EdSecret
	cert *torcert.Cert

	damage error     // why the files hold no key, if they are there
	retry  time.Time // not before this, after a failure
	warned time.Time
}

func parseSigning(b []byte) (*keyfile.EdSecret, error) {
	return keyfile.ParseEdSecret(b, keyfile.TagSigning)
}

func parseSigningCert(b []byte) (*torcert.Cert, error) {
	c, err := keyfile.ParseEdCert(b, keyfile.TagSigning)
	if err == nil && (c.Type != torcert.TypeIDSigning || c.KeyType != torcert.KeyEd25519 || c.SignedWith == nil) {
		return nil, torcert.ErrType
	}
	return c, err
}

// readSigning reads the signing key and its certificate. It does not ask who signed that, nor whether it has expired.
func (k *Keyring) readSigning() (s signing, err error) {
	if s.key, err = load(k.files, fileSigning, parseSigning); err != nil {
		return signing{}, err
	}
	if s.cert, err = load(k.files, fileSigningCert, parseSigningCert); err != nil {
		return signing{}, err
	}
	switch {
	case s.key == nil && s.cert == nil:
		return s, nil
	case s.key == nil:
		return signing{}, k.files.fail(fileSigning, ErrMissing, k.keygenAdvice())
	case s.cert == nil:
		return signing{}, k.files.fail(fileSigningCert, ErrMissing, k.keygenAdvice())
	case s.cert.Key != s.key.ID():
		// So a kill between the two writes of renewSigning looks.
		return signing{}, k.files.fail(fileSigningCert, fmt.Errorf("%w: it is about another key than %s%s", ErrMismatch, k.files.prefix, fileSigning),
			k.keygenAdvice())
	}
	return s, nil
}

// rereadSigning takes the key in the files, if it lasts longer than the one in use: it came from --keygen.
func (k *Keyring) rereadSigning(r *Report) error {
	s, err := k.readSigning()
	if err != nil || s.key == nil || s.key.ID() == k.sign.key.ID() || !s.cert.Expires.After(k.sign.cert.Expires) {
		return err
	}
	if !signedBy(&s, k.id.ed) {
		return k.files.fail(fileSigningCert, fmt.Errorf("%w: the master key did not sign it", ErrMismatch), adviceBackup)
	}
	k.sign, r.Signing = s, true
	return nil
}

// signingDue is when the signing key must be replaced, or the next attempt be made.
func (k *Keyring) signingDue() time.Time {
	if k.sign.key == nil {
		return time.Time{}
	}
	due := k.sign.cert.Expires.Add(-k.cfg.SigningKeySlop)
	if k.sign.retry.After(due) {
		return k.sign.retry
	}
	return due
}

// advanceSigning replaces the signing key in time. An error means that there is no good one.
func (k *Keyring) advanceSigning(r *Report, now time.Time) error {
	if now.Before(k.signingDue()) {
		return nil
	}
	var reread error // what is wrong with the files does not matter if they can be replaced
	if k.sign.key != nil {
		reread = k.rereadSigning(r)
		if now.Before(k.signingDue()) {
			return nil
		}
	}
	err := k.renewSigning(r, now)
	if err == nil {
		return nil
	}
	if k.sign.key == nil {
		return err
	}
	if !now.Before(k.sign.cert.Expires) {
		k.sign.retry = now.Add(offlineReread)
		return errors.Join(err, reread)
	}
	wait := writeRetry
	if errors.Is(err, ErrExpiresSoon) {
		wait = offlineReread
	}
	k.sign.retry = earlier(now.Add(wait), k.sign.cert.Expires)
	if now.Sub(k.sign.warned).Abs() >= warnInterval {
		k.sign.warned = now
		r.warn(err)
		r.warn(reread)
	}
	return nil
}

// renewSigning makes a signing key, and has the master key sign it.
func (k *Keyring) renewSigning(r *Report, now time.Time) error {
	master, err := k.readMaster()
	switch {
	case err != nil:
		return err
	case master == nil:
		return k.signingProblem(now)
	}
	defer master.Wipe()
	if master.ID() != k.id.ed {
		return k.files.fail(fileMasterSecret, fmt.Errorf("%w: it is not the secret part of %s%s", ErrMismatch, k.files.prefix, fileMasterPublic), adviceBackup)
	}
	damage := k.sign.damage
	if err := k.newSigning(master, now); err != nil {
		return err
	}
	if damage != nil {
		r.warn(fmt.Errorf("a new signing key was made, since the old one was of no use: %w", damage))
	}
	r.Signing = true
	return nil
}

// newSigning makes a signing key that the given master key signs.
func (k *Keyring) newSigning(master *keyfile.EdSecret, now time.Time) error {
	id, key := master.ID(), keyfile.GenerateEd()
	unsigned := torcert.Cert{
		Type: torcert.TypeIDSigning, Expires: now.Add(k.cfg.SigningKeyLifetime),
		KeyType: torcert.KeyEd25519, Key: key.ID(), SignedWith: &id,
	}
	cert, err := unsigned.Sign(master)
	if err != nil {
		return k.files.fail(fileSigningCert, err, "")
	}
	b, err := key.AppendTo(nil, keyfile.TagSigning)
	if err := k.files.write(fileSigning, b, err); err != nil {
		return err
	}
	b, err = keyfile.AppendEdCert(nil, keyfile.TagSigning, cert)
	if err := k.files.write(fileSigningCert, b, err); err != nil {
		return err
	}
	k.sign = signing{key: key, cert: cert}
	return nil
}

// signingProblem is the error if there is need of a signing key, but no master key.
func (k *Keyring) signingProblem(now time.Time) error {
	switch {
	case k.sign.damage != nil:
		return k.sign.damage
	case k.sign.key == nil:
		return k.files.fail(fileSigning, ErrMissing, k.keygenAdvice())
	}
	err := ErrExpiresSoon
	if !now.Before(k.sign.cert.Expires) {
		err = ErrExpired
	}
	return k.files.fail(fileSigningCert, fmt.Errorf("%w (%s)", err, k.sign.cert.Expires.Format(time.RFC3339)), k.keygenAdvice())
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
