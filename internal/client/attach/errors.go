package attach

import (
	"errors"
	"fmt"
)

// Requests that never leave this machine fail with one of these, but for the last.
var (
	ErrOnion       = errors.New("an onion service has no address to look up")
	ErrBadOnion    = errors.New("not the address of an onion service")
	ErrNoOnions    = errors.New("onion services are out of reach for this request")
	ErrExitName    = errors.New("addresses in .exit are not supported: they would let the destination choose the exit")
	ErrInternal    = errors.New("destination is an internal address, which no exit can reach")
	ErrBadHost     = errors.New("not a valid host name or address")
	ErrNoFamily    = errors.New("neither IPv4 nor IPv6 is allowed for this request")
	ErrNoExit      = errors.New("no exit lets this through")
	ErrPrivateName = errors.New("the exit resolved the name to an internal address")
)

// A StreamError says that a stream could not be opened, after some tries.
type StreamError struct {
	Tries int
	Err   error // of the last try
}

func (e *StreamError) Error() string {
	if e.Tries == 1 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v (tried %d circuits)", e.Err, e.Tries)
}
func (e *StreamError) Unwrap() error { return e.Err }
