package onion

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// A ClientFile is a file in which the key of an authorized client should be.
type ClientFile struct {
	Client
	Err error // why there is no key; Tor ignores the file then
}

// Clients lists the authorized clients of a service, those with bad files too.
func Clients(dir string) (list []ClientFile, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), keyfile.ServiceClientsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, keyfile.ServiceClientsDir), inner(err))
	}
	l := loader{dir: dir, root: root}
	for _, e := range entries {
		name, ok := clientName(keyfile.ServiceClientsDir + "/" + e.Name())
		if !ok {
			continue
		}
		c := ClientFile{Client: Client{Name: name}}
		var b []byte
		if !e.Type().IsRegular() {
			c.Err = errors.New("not a regular file")
		} else if b, c.Err = l.read(clientFile(name)); c.Err == nil {
			c.Key, c.Err = keyfile.ParseAuthorizedClient(b)
		}
		c.Err = inner(c.Err)
		list = append(list, c)
	}
	return list, nil
}

// Authorize lets a client use the service in dir, and from then on nobody but its authorized clients. It replaces no client. A running Tor
// takes notice at a HUP signal.
func Authorize(log *slog.Logger, dir string, c Client) error {
	if err := CheckName(c.Name); err != nil {
		return err
	}
	if probe := x25519.FromSecret(&[32]byte{1}); !sound(probe, c.Key) {
		return fmt.Errorf("%w: an X25519 key of small order would keep nothing secret", keyfile.ErrKey)
	}
	list, err := Clients(dir)
	if err != nil {
		return err
	}
	for _, old := range list {
		switch {
		case old.Name == c.Name:
			return fmt.Errorf("%s %w: remove this client first, or choose another name", filepath.Join(dir, clientFile(c.Name)), ErrExists)
		case old.Err == nil && old.Key == c.Key:
			return fmt.Errorf("the key %w, as that of %s", ErrExists, old.Name)
		}
	}
	text, err := keyfile.AppendAuthorizedClient(nil, c.Key)
	if err != nil {
		return err
	}
	return change(log, dir, func(d *statefile.Dir) error { return d.WriteWhole(clientFile(c.Name), text) })
}

func sound(k *x25519.KeyPair, peer [32]byte) bool {
	_, ok := k.Shared(&peer)
	return ok
}

// Revoke takes a client's right to use the service in dir. Without the last one the service is open to everybody, which must
// be wanted.
func Revoke(log *slog.Logger, dir, name string, last bool) error {
	list, err := Clients(dir)
	if err != nil {
		return err
	}
	found, others := false, 0
	for _, c := range list {
		if c.Name == name {
			found = true
		} else if c.Err == nil {
			others++
		}
	}
	switch {
	case !found:
		return fmt.Errorf("%s: %w", filepath.Join(dir, clientFile(name)), ErrNoClient)
	case others == 0 && !last:
		return fmt.Errorf("%s: %w", name, ErrPublic)
	}
	return change(log, dir, func(d *statefile.Dir) error { return d.Remove(clientFile(name)) })
}

// change calls f with a key directory in which a file changes. It must be of this user, whom Tor runs as: a file of another one
// Tor could not read.
func change(log *slog.Logger, dir string, f func(*statefile.Dir) error) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	policy := statefile.Policy{CheckOnly: true, GroupReadable: info.Mode().Perm()&0o050 != 0}
	d, err := statefile.Open(log, dir, statefile.Options{Policy: policy})
	if err != nil {
		return err
	}
	defer d.Close()
	return f(d)
}

// NewClientKey makes the key of a client of a service.
func NewClientKey(service onionaddr.Address) (*keyfile.ClientAuth, error) {
	secret := keyfile.GenerateOnion().Key().Bytes()
	defer clear(secret)
	return keyfile.NewClientAuth(service, [32]byte(secret))
}

// ParseClientKey reads a client's public key as people pass it on: the line of a file NAME.auth, or its last field.
func ParseClientKey(text string) ([32]byte, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, ":") {
		text = "descriptor:x25519:" + text
	}
	return keyfile.ParseAuthorizedClient([]byte(text))
}
