package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

const (
	authSuffix  = ".auth_private"
	maxAuthFile = 4096 // bytes; one has some 130
)

// onionAuth reads the keys by which onion services know us (ClientOnionAuthDir). As C tor, it leaves files out that make no sense,
// and fails if two are about one service.
func onionAuth(log *slog.Logger, dir string) ([]*keyfile.ClientAuth, error) {
	if dir == "" {
		return nil, nil
	}
	if err := statefile.CheckPrivate(log, dir, statefile.Policy{}); err != nil {
		return nil, fmt.Errorf("ClientOnionAuthDir: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("ClientOnionAuthDir: %w", err)
	}
	var list []*keyfile.ClientAuth
	seen := map[onionaddr.Address]bool{}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, authSuffix) || name == authSuffix {
			log.Warn("Client authorization unrecognized filename: the file name must have a .auth_private extension. Ignoring.", "file", name)
			continue
		}
		a, err := readOnionAuth(filepath.Join(dir, name))
		if err != nil {
			log.Warn("The client authorization key file is of no use. Ignoring.", "file", name, "err", err)
			continue
		}
		if seen[a.Service] {
			return nil, fmt.Errorf("ClientOnionAuthDir: duplicate authorization for the same onion service %v", safelog.Of(a.Service))
		}
		seen[a.Service] = true
		list = append(list, a)
	}
	return list, nil
}

func readOnionAuth(path string) (*keyfile.ClientAuth, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuthFile))
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return keyfile.ParseClientAuth(b)
}
