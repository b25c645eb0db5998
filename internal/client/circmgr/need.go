package circmgr

import (
	"errors"
	"fmt"

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
var ErrClosed = errors.New("circuit manager is closed")

// A BuildError says why no circuit came to be in time.
type BuildError struct {
	Err error // the last failure; nil if there was no directory to choose relays from
}

func (e *BuildError) Error() string {
	if e.Err == nil {
		return "no circuit: the directory is not there yet"
	}
	return fmt.Sprintf("no circuit: %v", e.Err)
}
func (e *BuildError) Unwrap() error { return e.Err }
