package circmgr

import (
	"errors"
	"fmt"
	"net"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

// Need is what a stream asks of a circuit.
type Need struct {
	pathsel.Need
	Isolation isolation.Key // only streams with equal keys share a circuit
	KeepAlive bool          // MaxDirtiness counts from the last such use (KeepAliveIsolateSOCKSAuth)
}

// A Lease is a circuit that may be used for what was needed.
type Lease struct {
	Tunnel *circuit.Tunnel
	Exit   *netdir.Relay
	Circ   uint64 // its number in logs
}

// ErrClosed is why requests fail when the manager ends.
var ErrClosed = fmt.Errorf("circuit manager: %w", net.ErrClosed)

// What a BuildError may have, besides the failures of builds.
var (
	ErrNoDirectory = errors.New("the directory is not there yet")
	ErrSlow        = errors.New("relays take too long to build one")
)

// A BuildError says why no circuit came to be in time.
type BuildError struct {
	Err   error // the last failure, ErrNoDirectory or ErrSlow
	Cause error // of the end of the wait; nil if waiting was of no use
	AtEnd bool  // all hops were there but the last one, which the caller has chosen
}

func (e *BuildError) Error() string { return fmt.Sprintf("no circuit: %v", e.Err) }

// Unwrap returns both errors.
func (e *BuildError) Unwrap() []error { return []error{e.Err, e.Cause} }
