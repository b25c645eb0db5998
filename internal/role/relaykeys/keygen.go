package relaykeys

import (
	"errors"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// Passphrases asks the operator.
type Passphrases interface {
	// Old returns the passphrase of the encrypted master key. It is asked again after a wrong one, and told how many there
	// have been.
	Old(wrong int) ([]byte, error)

	// New returns the passphrase for a master key; if it is empty, the key is not encrypted.
	New() ([]byte, error)
}

// A MasterFile is a file outside of the key directory with the secret master key, encrypted or not. Read returns nil if
// there is no such file; Write replaces it in one step. String returns its name.
type MasterFile interface {
	Read() ([]byte, error)
	Write([]byte) error
	String() string
}

// A Keygen makes a signing key with a master key that a relay cannot use by itself: an encrypted one, or one that is
// elsewhere. The zero Keygen takes the master key of the key directory.
type Keygen struct {
	Passphrases Passphrases

	// NewPassphrase asks for a new passphrase of the master key, and writes it anew. An encrypted key of which the
	// passphrase is taken away stays beside the plain one.
	NewPassphrase bool

	// Master, if not nil, is where the secret master key is, or is to be made.
	Master MasterFile

	// Lock keeps others out of the directory; it is called when all questions are answered, before the first file is
	// written. If it fails with [statefile.ErrLocked], a relay uses the directory: then a signing key is made for it all
	// the same, which is what it waits for, but no master key.
	Lock func() (release func(), err error)
}

// Run writes a new signing key and its certificate, which is valid until the returned time. If nothing tells that there
// ever was a master key, it makes that, too. OfflineMasterKey does not count: here is where the key is brought to.
//
// It follows load_ed_keys in C tor, as --keygen calls it.
func (g *Keygen) Run(cfg Config, store statefile.Store, now time.Time) (expires time.Time, err error) {
	cfg = cfg.withDefaults()
	cfg.OfflineMasterKey = false
	k := &Keyring{cfg: cfg, files: newFiles(store, &cfg)}
	pub, err := load(k.files, fileMasterPublic, parseMasterPublic)
	if err != nil {
		return expires, err
	}
	master, made, err := g.master(k, pub)
	if err != nil {
		return expires, err
	}
	defer master.Wipe()
	var secret encoded
	if made || g.NewPassphrase {
		if secret, err = g.encode(master); err != nil {
			return expires, err
		}
		defer clear(secret.file)
	}

	release, err := g.Lock()
	switch {
	case err == nil:
		defer release()
	case made || !errors.Is(err, statefile.ErrLocked):
		return expires, err
	}
	if made && k.files.exists(fileMasterPublic) {
		return expires, k.files.fail(fileMasterPublic, errAppeared, "start again")
	}
	// The public key goes after the secret one, so that there is no identity of which the secret is lost.
	if secret.file != nil {
		if err := g.writeMaster(k, secret); err != nil {
			return expires, err
		}
	}
	if pub == nil {
		b, err := keyfile.AppendEdPublic(nil, keyfile.TagMaster, master.ID())
		if err := k.files.write(fileMasterPublic, b, err); err != nil {
			return expires, err
		}
	}
	if err := k.newSigning(master, now); err != nil {
		return expires, err
	}
	return k.SigningExpires(), nil
}

// master returns the master key, which must fit to all other keys, or makes one if it has no reason to think that there is one
// somewhere.
func (g *Keygen) master(k *Keyring, pub *[32]byte) (master *keyfile.EdSecret, made bool, err error) {
	if master, err = g.openMaster(k); err != nil {
		return nil, false, err
	}
	sign, damage := k.readSigning()
	switch {
	case master == nil && (pub != nil || sign.key != nil || damage != nil || k.files.exists(fileMasterSecret) || k.files.exists(fileMasterBox)):
		return nil, false, &FileError{g.place(k), ErrMissing, "We needed to load a secret key from there, but couldn't find it: put it back"}
	case master == nil:
		return keyfile.GenerateEd(), true, nil
	case pub != nil && *pub != master.ID():
		err = k.files.mismatch(g.place(k))
	case sign.key != nil && !signedBy(&sign, master.ID()):
		err = k.files.fail(fileSigningCert, fmt.Errorf("%w: the master key did not sign it", ErrMismatch), adviceBackup)
	}
	if err != nil {
		master.Wipe()
		return nil, false, err
	}
	return master, false, nil
}

var errAppeared = errors.New("another process has made keys meanwhile")

// place names the file where the secret master key should be.
func (g *Keygen) place(k *Keyring) string {
	if g.Master != nil {
		return g.Master.String()
	}
	return k.files.prefix + fileMasterSecret
}

// openMaster returns the master key, or nil if there is none.
func (g *Keygen) openMaster(k *Keyring) (*keyfile.EdSecret, error) {
	if g.Master != nil {
		b, err := g.Master.Read()
		if b == nil || err != nil {
			return nil, err
		}
		key, err := g.decode(b)
		if err != nil {
			return nil, &FileError{g.Master.String(), err, ""}
		}
		return key, nil
	}
	key, err := load(k.files, fileMasterSecret, parseMasterSecret)
	if key != nil || err != nil {
		return key, err
	}
	b, err := k.files.read(fileMasterBox)
	if b == nil {
		return nil, err
	}
	if key, err = g.decode(b); err != nil {
		return nil, k.files.fail(fileMasterBox, err, "")
	}
	return key, nil
}

// decode parses a secret master key, and decrypts it if need be.
func (g *Keygen) decode(b []byte) (*keyfile.EdSecret, error) {
	defer clear(b)
	key, err := parseMasterSecret(b)
	if !errors.Is(err, keyfile.ErrType) {
		return key, err
	}
	box, err := keyfile.ParseBox(b)
	if err != nil {
		return nil, err
	}
	for wrong := 0; ; wrong++ {
		passphrase, err := g.Passphrases.Old(wrong)
		if err != nil {
			return nil, err
		}
		key, err := box.Open(passphrase)
		clear(passphrase)
		if !errors.Is(err, keyfile.ErrPassphrase) {
			return key, err
		}
	}
}

// encoded is a file with the secret master key, not written yet.
type encoded struct {
	file      []byte
	encrypted bool
}

// encode asks for a passphrase, and encrypts the key if there is one.
func (g *Keygen) encode(master *keyfile.EdSecret) (s encoded, err error) {
	passphrase, err := g.Passphrases.New()
	if err != nil {
		return s, err
	}
	defer clear(passphrase)
	if len(passphrase) == 0 {
		s.file, err = master.AppendTo(nil, keyfile.TagMaster)
		return s, err
	}
	box, err := keyfile.Seal(master, passphrase)
	if err != nil {
		return s, err
	}
	s.encrypted = true
	s.file, err = box.AppendTo(nil)
	return s, err
}

// writeMaster writes the secret master key, and only then removes the plain one if it is encrypted now.
func (g *Keygen) writeMaster(k *Keyring, s encoded) error {
	if g.Master != nil {
		if err := g.Master.Write(s.file); err != nil {
			return &FileError{g.Master.String(), err, ""}
		}
		return nil
	}
	if !s.encrypted {
		return k.files.write(fileMasterSecret, s.file, nil)
	}
	if err := k.files.write(fileMasterBox, s.file, nil); err != nil {
		return err
	}
	return k.files.remove(fileMasterSecret)
}

// SigningKey loads the signing key and tells when its certificate ends, as --key-expiration does. It replaces the key if
// that is due and the master key is here; if not, that is a warning, or an error once the certificate has ended. It makes
// no identity.
func SigningKey(cfg Config, store statefile.Store, now time.Time) (expires time.Time, r Report, err error) {
	cfg = cfg.withDefaults()
	k := &Keyring{cfg: cfg, files: newFiles(store, &cfg)}
	if !k.files.exists(fileMasterSecret) && !k.files.exists(fileMasterPublic) && !k.files.exists(fileSigningCert) {
		return expires, r, k.files.fail(fileSigningCert, ErrMissing, "")
	}
	if err = k.loadEd(&r); err == nil {
		err = k.advanceSigning(&r, now)
	}
	if k.sign.cert != nil {
		expires = k.sign.cert.Expires
	}
	return expires, r, err
}
