// Package env holds what a component takes from outside the program.
package env

import (
	"log/slog"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/statefile"
)

// Env is everything that a component takes from outside. Tests replace it whole. All fields must be set.
//
// Timers are not here: they use package time, which testing/synctest makes virtual.
type Env struct {
	Net   netx.Network     // dial and listen; memnet in tests
	Now   func() time.Time // wall clock: validity of certificates and documents, skew
	Log   *slog.Logger
	State statefile.Store // guards, keys, caches; in tests in memory, with injected faults
}
