package onion

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// A backup is a tar file with the files of a service, encrypted with a passphrase by age: the program age opens it, too.
//
// https://age-encryption.org/v1

const (
	// Work is the logarithm of how much scrypt works for a passphrase: about a second and 256 MiB.
	Work = 18
	// MinWork and MaxWork bound it: 1 MiB, for whoever has a passphrase that cannot be guessed, and 1 GiB, as the file that is
	// restored may be someone else's.
	MinWork, MaxWork = 10, 20
	// maxBackup bounds a backup in bytes, encrypted or not.
	maxBackup = 16 << 20

	ageMagic = "age-encryption.org/"
)

// Errors of backups.
var (
	ErrBackup     = errors.New("not a backup of an onion service")
	ErrPassphrase = errors.New("wrong passphrase")
	ErrWork       = fmt.Errorf("it must be from %d to %d", MinWork, MaxWork)
	ErrDamaged    = errors.New("the backup is damaged")
)

// IsBackup tells whether a file begins as a backup does.
func IsBackup(b []byte) bool { return bytes.HasPrefix(b, []byte(ageMagic)) }

// Backup encrypts a service with a passphrase, and makes sure that it can be had back. work is from MinWork to MaxWork.
func (s *Service) Backup(passphrase []byte, work int) ([]byte, error) {
	if work < MinWork || work > MaxWork {
		return nil, fmt.Errorf("work of %d: %w", work, ErrWork)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	plain, err := s.pack()
	defer clear(plain)
	if err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(work)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt: %w", err)
	}
	back, err := Restore(out.Bytes(), passphrase)
	if err != nil {
		return nil, fmt.Errorf("the backup cannot be read again: %w", err)
	}
	again, err := back.pack()
	defer clear(again)
	if err == nil && !bytes.Equal(plain, again) {
		err = errors.New("the backup differs from the directory")
	}
	return out.Bytes(), err
}

// Restore decrypts a backup and checks it.
func Restore(b, passphrase []byte) (*Service, error) {
	switch {
	case !IsBackup(b):
		return nil, ErrBackup
	case len(b) > maxBackup:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrBackup, maxBackup)
	case len(passphrase) == 0:
		return nil, ErrPassphrase
	}
	id, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(MaxWork)
	r, err := age.Decrypt(bytes.NewReader(b), id)
	if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	// All of it is read, and so authenticated, before any of it counts.
	plain, err := io.ReadAll(io.LimitReader(r, maxBackup))
	defer clear(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s, err := unpack(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return s, nil
}

func (s *Service) pack() ([]byte, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o600, Size: int64(len(f.data)), Format: tar.FormatPAX}
		err := w.WriteHeader(&h)
		if err == nil {
			_, err = w.Write(f.data)
		}
		clear(f.data)
		if err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return out.Bytes(), err
}

// unpack reads a tar file, in which nothing may be but the files of one service, each once.
func unpack(b []byte) (*Service, error) {
	s, r := new(Service), tar.NewReader(bytes.NewReader(b))
	seen := map[string]bool{}
	var later []file
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		switch {
		case err != nil:
			return nil, err
		case h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("%q is not a regular file", h.Name)
		case seen[h.Name]:
			return nil, fmt.Errorf("%q is there twice", h.Name)
		}
		seen[h.Name] = true
		f := file{name: h.Name}
		if f.data, err = readFile(r); err != nil {
			return nil, err
		}
		defer clear(f.data)
		known, err := s.add(f)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q: %w", f.name, err)
		case !known:
			return nil, fmt.Errorf("%q is none of the files of a service", f.name)
		}
		later = append(later, f)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	for _, f := range later {
		if err := s.agrees(f); err != nil {
			return nil, fmt.Errorf("%q: %w", f.name, err)
		}
	}
	if !seen[keyfile.ServicePublicFile] || !seen[keyfile.ServiceHostnameFile] {
		return nil, keyfile.ErrFormat
	}
	return s, nil
}
