package stream

import (
	"errors"
	"fmt"
	"net"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// EndError says that the other end closed the stream, or refused to open it, and why.
type EndError struct {
	Reason relaymsg.EndReason
}

func (e *EndError) Error() string { return fmt.Sprintf("stream ended by the exit: %v", e.Reason) }

// ErrClosed is what a stream returns after its own Close. It unwraps to net.ErrClosed.
var ErrClosed = fmt.Errorf("stream: %w", net.ErrClosed)

// ErrFull says that all stream IDs of the tunnel are in use.
var ErrFull = errors.New("tunnel has no stream ID left")

// violation says what the peer sent that no stream of ours can have caused. The circuit closes on it.
func violation(format string, args ...any) error {
	return fmt.Errorf("stream: "+format, args...)
}
