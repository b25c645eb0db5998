package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

var (
	errNoSecret      = errors.New("there is " + keyfile.ServicePublicFile + ", but no " + keyfile.ServiceSecretFile)
	errNoOnionClient = errors.New("none of the files in " + keyfile.ServiceClientsDir + " has the key of a client, and to let everybody in would be wrong")
	errNoMaster      = errors.New("no MasterOnionAddress")
	errOBKeyword     = errors.New("unknown option")
)

// An onionDir is what the directory of an onion service says.
type onionDir struct {
	key       *keyfile.EdSecret
	clients   [][32]byte
	frontends []onionaddr.Address
}

// loadOnion reads the directory of an onion service, and makes what is missing.
func loadOnion(log *slog.Logger, cfg *config.Onion) (o onionDir, err error) {
	dir, err := statefile.Open(log, cfg.Dir, statefile.Options{Policy: statefile.Policy{GroupReadable: cfg.GroupReadable}})
	if err != nil {
		return o, err
	}
	defer dir.Close()
	if o.key, err = onionKey(dir); err != nil {
		return o, err
	}
	name, err := keyfile.AppendHostname(nil, o.key.ID())
	if err != nil {
		return o, err
	}
	if old, err := dir.Read(keyfile.ServiceHostnameFile); err != nil || !bytes.Equal(old, name) {
		if err := dir.WriteWhole(keyfile.ServiceHostnameFile, name); err != nil {
			return o, err
		}
	}
	mode := fs.FileMode(0o600)
	if cfg.GroupReadable {
		mode = 0o640
		if err := os.Chmod(cfg.Dir, 0o750); err != nil {
			return o, err
		}
	}
	if err := os.Chmod(filepath.Join(cfg.Dir, keyfile.ServiceHostnameFile), mode); err != nil {
		return o, err
	}
	if o.clients, err = onionClientKeys(log, dir, filepath.Join(cfg.Dir, keyfile.ServiceClientsDir)); err != nil {
		return o, err
	}
	if cfg.OnionBalance {
		o.frontends, err = onionFrontends(dir)
	}
	return o, err
}

// onionKey reads the service's key, or makes one.
func onionKey(dir *statefile.Dir) (*keyfile.EdSecret, error) {
	text, err := dir.Read(keyfile.ServiceSecretFile)
	defer clear(text)
	if err == nil {
		key, err := keyfile.ParseEdSecret(text, keyfile.TagMaster)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyfile.ServiceSecretFile, err)
		}
		if _, err := onionaddr.FromKey(key.ID()); err != nil {
			return nil, fmt.Errorf("%s: %w", keyfile.ServiceSecretFile, err)
		}
		return key, writeOnionPublic(dir, key)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, err := dir.Read(keyfile.ServicePublicFile); err == nil {
		return nil, errNoSecret
	}
	key := keyfile.GenerateEd()
	if text, err = key.AppendTo(nil, keyfile.TagMaster); err != nil {
		return nil, err
	}
	if err := dir.WriteWhole(keyfile.ServiceSecretFile, text); err != nil {
		return nil, err
	}
	return key, writeOnionPublic(dir, key)
}

func writeOnionPublic(dir *statefile.Dir, key *keyfile.EdSecret) error {
	text, err := keyfile.AppendEdPublic(nil, keyfile.TagMaster, key.ID())
	if err != nil {
		return err
	}
	if old, err := dir.Read(keyfile.ServicePublicFile); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return dir.WriteWhole(keyfile.ServicePublicFile, text)
}

// onionClientKeys reads the keys of the clients that may use the service; there are none if everybody may.
func onionClientKeys(log *slog.Logger, dir *statefile.Dir, path string) (keys [][32]byte, err error) {
	if err := statefile.CheckPrivate(log, path, statefile.Policy{}); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	found := 0
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, keyfile.AuthorizedClientSuffix) || len(name) == len(keyfile.AuthorizedClientSuffix) {
			log.Warn("Client authorization unrecognized filename: it must end in .auth. Ignoring.", "file", name)
			continue
		}
		found++
		text, err := dir.Read(keyfile.ServiceClientsDir + "/" + name)
		if err != nil {
			log.Warn("Client authorization file cannot be read. Ignoring.", "file", name, "err", err)
			continue
		}
		key, err := keyfile.ParseAuthorizedClient(text)
		if err != nil {
			log.Warn("Client authorization file is not valid. Ignoring.", "file", name, "err", err)
			continue
		}
		keys = append(keys, key)
	}
	if found > 0 && len(keys) == 0 {
		return nil, errNoOnionClient
	}
	return keys, nil
}

// onionFrontends reads the addresses of the onionbalance services that send clients here.
func onionFrontends(dir *statefile.Dir) (list []onionaddr.Address, err error) {
	text, err := dir.Read(keyfile.ServiceOnionBalancing)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			continue
		case len(f) != 2 || !strings.EqualFold(f[0], "MasterOnionAddress"):
			return nil, fmt.Errorf("%s: %q: %w", keyfile.ServiceOnionBalancing, f[0], errOBKeyword)
		}
		a, err := onionaddr.Parse(f[1])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyfile.ServiceOnionBalancing, err)
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", keyfile.ServiceOnionBalancing, errNoMaster)
	}
	return list, nil
}
