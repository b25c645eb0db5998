package circuit

import (
	"fmt"
	"net"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// ErrClosed is why a circuit ends when its owner closes it. It unwraps to net.ErrClosed.
var ErrClosed = fmt.Errorf("circuit: %w", net.ErrClosed)

// errEvicted is why a circuit ends when memory is short. It unwraps to net.ErrClosed.
var errEvicted = fmt.Errorf("circuit gave way, since memory was short: %w", net.ErrClosed)

// A ProtocolError says what a relay on the circuit did that it must not. The circuit is closed for it.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "relay broke the circuit protocol: " + e.Err.Error() }
func (e *ProtocolError) Unwrap() error { return e.Err }

func violation(format string, args ...any) error {
	return &ProtocolError{fmt.Errorf(format, args...)}
}

// A PeerClosedError says that the relays tore the circuit down, and the reason that came with it.
type PeerClosedError struct {
	Reason    cell.DestroyReason
	Truncated bool // by TRUNCATED: a relay further along lost the rest of the circuit
	Hop       int  // the hop that sent TRUNCATED, 1 for the first; 0 with DESTROY
}

func (e *PeerClosedError) Error() string {
	if e.Truncated {
		return fmt.Sprintf("circuit truncated at hop %d: %v", e.Hop, e.Reason)
	}
	return fmt.Sprintf("circuit closed by the relay: %v", e.Reason)
}

// A LinkError says that the link under a circuit ended.
type LinkError struct{ Err error }

func (e *LinkError) Error() string { return "link of the circuit ended: " + e.Err.Error() }
func (e *LinkError) Unwrap() error { return e.Err }
