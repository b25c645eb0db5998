package relaykeys

import (
	"bytes"
	"errors"
	"io/fs"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

// Names of files. Those of the key directory are without it.
const (
	fileRSA          = "secret_id_key"
	fileMasterSecret = "ed25519_master_id_secret_key"
	fileMasterBox    = "ed25519_master_id_secret_key_encrypted"
	fileMasterPublic = "ed25519_master_id_public_key"
	fileSigning      = "ed25519_signing_secret_key"
	fileSigningCert  = "ed25519_signing_cert"
	fileNtor         = "secret_onion_key_ntor"
	fileTAP          = "secret_onion_key"
	suffixOld        = ".old"

	fileFingerprint   = "fingerprint"
	fileHashed        = "hashed-fingerprint"
	fileEdFingerprint = "fingerprint-ed25519"
)

// files are the data directory and the key directory.
type files struct {
	data, keys statefile.Store
	prefix     string // of names in keys
	readOnly   error  // if not nil, nothing in keys changes
}

func newFiles(data statefile.Store, cfg *Config) files {
	if cfg.KeyDirectory == nil {
		return files{data, data, "keys/", cfg.ReadOnly}
	}
	return files{data, cfg.KeyDirectory, "", cfg.ReadOnly}
}

// fail makes the error about a key file.
func (f files) fail(name string, err error, advice string) error {
	return &FileError{f.prefix + name, err, advice}
}

// read returns the content of a key file, or nil if there is none.
func (f files) read(name string) ([]byte, error) {
	b, err := f.keys.Read(f.prefix + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, f.fail(name, err, "")
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

// load reads and parses a key file; the result is nil if there is none. The content is wiped.
func load[T any](f files, name string, parse func([]byte) (*T, error)) (*T, error) {
	b, err := f.read(name)
	if b == nil {
		return nil, err
	}
	defer clear(b)
	v, err := parse(b)
	if err != nil {
		return nil, f.fail(name, err, adviceBackup)
	}
	return v, nil
}

// loadFull is load for files of which C tor, when it dies, may leave an empty one: that counts as none.
func loadFull[T any](f files, name string, parse func([]byte) (*T, error)) (*T, error) {
	v, err := load(f, name, func(b []byte) (*T, error) {
		if len(b) == 0 {
			return nil, nil
		}
		return parse(b)
	})
	return v, err
}

// write replaces a key file. b is wiped.
func (f files) write(name string, b []byte, err error) error {
	defer clear(b)
	if err == nil {
		err = f.readOnly
	}
	if err == nil {
		err = f.keys.WriteWhole(f.prefix+name, b)
	}
	if err != nil {
		return f.fail(name, err, "")
	}
	return nil
}

// exists reports whether there is a key file. One that cannot be read is there.
func (f files) exists(name string) bool {
	_, unmap, err := f.keys.Map(f.prefix + name)
	if err == nil {
		unmap()
	}
	return !errors.Is(err, fs.ErrNotExist)
}

// remove removes a key file, if it is there.
func (f files) remove(name string) error {
	if f.readOnly != nil {
		return f.fail(name, f.readOnly, "")
	}
	if err := f.keys.Remove(f.prefix + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.fail(name, err, "")
	}
	return nil
}

// writeChanged writes a file of the data directory unless it is that already.
func (f files) writeChanged(name string, b []byte, err error) error {
	if err == nil {
		old, readErr := f.data.Read(name)
		if readErr == nil && bytes.Equal(old, b) {
			return nil
		}
		err = f.data.WriteWhole(name, b)
	}
	if err != nil {
		return &FileError{name, err, ""}
	}
	return nil
}
