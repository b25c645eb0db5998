package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// run makes what is to be made. The signing key and its certificate are written last, one right after the other.
func (t *certTool) run() error {
	identity, err := t.identityKey()
	if err != nil {
		return err
	}
	var signing *keyfile.RSASecret
	if t.reuse {
		signing, err = t.oldSigningKey()
	} else {
		t.notice("Generating %d-bit RSA signing key.", signingBits)
		signing, err = keyfile.GenerateRSA(signingBits)
	}
	if err != nil {
		return err
	}
	text, err := t.certify(identity.Key(), signing.Key())
	if err != nil {
		return err
	}
	if !t.reuse {
		b, err := signing.AppendTo(nil)
		defer clear(b)
		if err == nil {
			err = t.signing.Write(b)
		}
		if err != nil {
			return fmt.Errorf("couldn't write the signing key: %w", err)
		}
	}
	if err := t.cert.Write(text); err != nil {
		return fmt.Errorf("couldn't write the certificate: %w", err)
	}
	return nil
}

func (t *certTool) notice(format string, args ...any) {
	t.log.Log(context.Background(), safelog.LevelNotice, fmt.Sprintf(format, args...))
}

// certify makes the certificate. Its months are of the local calendar; the 31st of a short month is a day of the next, as C
// tor has it.
func (t *certTool) certify(identity, signing *rsa.PrivateKey) ([]byte, error) {
	expires := t.now.Local().AddDate(0, t.months, 0)
	return authcert.Make(identity, signing, t.now.UTC(), expires.UTC(), t.dirPort)
}

// identityKey reads or makes the identity key.
func (t *certTool) identityKey() (*keyfile.RSASecret, error) {
	_, err := os.Lstat(string(t.identity))
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case t.create && !missing:
		return nil, fmt.Errorf("--create-identity-key was specified, but %s already exists", t.identity)
	case t.create:
		return t.newIdentity()
	case missing:
		return nil, fmt.Errorf("no identity key found in %s: to specify a location for an identity key, use -i; to generate a new identity key, use --create-identity-key", t.identity)
	}
	b, err := t.identity.Read()
	defer clear(b)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the identity key: %w", err)
	}
	locked, err := keyfile.ParseLocked(b, minAuthBits, rsakey.MaxBits)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the identity key from %s: %w", t.identity, err)
	}
	var passphrase []byte
	if locked.Encrypted() {
		if passphrase, err = t.passphrase("Enter PEM pass phrase:"); err != nil {
			return nil, err
		}
		defer clear(passphrase)
	}
	key, err := locked.Open(passphrase)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the identity key from %s: %w", t.identity, err)
	}
	return key, nil
}

// newIdentity makes an identity key. It is the last thing to be lost: so the passphrase comes first.
func (t *certTool) newIdentity() (*keyfile.RSASecret, error) {
	passphrase, err := t.newPassphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	t.notice("Generating %d-bit RSA identity key.", identityBits)
	key, err := keyfile.GenerateRSA(identityBits)
	if err != nil {
		return nil, err
	}
	b, err := key.AppendLocked(nil, passphrase)
	if err == nil {
		err = t.identity.writeMode(b, 0o400)
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't write the identity key: %w", err)
	}
	return key, nil
}

func (t *certTool) newPassphrase() ([]byte, error) {
	passphrase, err := t.passphrase("Enter PEM pass phrase:")
	if err != nil {
		return nil, err
	}
	if len(passphrase) < minIdentityPassphrase {
		return nil, fmt.Errorf("passphrase empty or too short: it needs to be at least %d characters", minIdentityPassphrase)
	}
	if t.fd >= 0 {
		return passphrase, nil
	}
	again, err := t.passphrase("Verifying - Enter PEM pass phrase:")
	defer clear(again)
	if err == nil && !bytes.Equal(passphrase, again) {
		err = errors.New("the passphrases differ")
	}
	return passphrase, err
}

// passphrase reads a passphrase from the descriptor or the terminal.
func (t *certTool) passphrase(prompt string) ([]byte, error) {
	return askLine(t.fd, t.stdin, t.stderr, prompt, maxIdentityPassphrase)
}

// oldSigningKey reads the key for --reuse.
func (t *certTool) oldSigningKey() (*keyfile.RSASecret, error) {
	b, err := t.signing.Read()
	defer clear(b)
	if err == nil && b == nil {
		err = fs.ErrNotExist
	}
	var locked *keyfile.Locked
	if err == nil {
		locked, err = keyfile.ParseLocked(b, minAuthBits, rsakey.MaxBits)
	}
	if err == nil && locked.Encrypted() {
		err = keyfile.ErrEncrypted // the daemon could not read it
	}
	var key *keyfile.RSASecret
	if err == nil {
		key, err = locked.Open(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't read the signing key from %s: %w", t.signing, err)
	}
	return key, nil
}
