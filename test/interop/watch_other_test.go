//go:build !linux

package interop_test

import (
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

type watch struct{}

type call struct {
	what string
	addr netip.AddrPort
}

func (w *watch) all() []call { return nil }

func becomeWatched() {}

// startWatched starts a process that nobody watches: only Linux tells of what another process does.
func startWatched(t *testing.T, cfg ctor.Config) (*ctor.Process, *watch) {
	t.Helper()
	proc, err := ctor.Start(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, proc.Stop()) })
	return proc, nil
}
