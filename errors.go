package tropea

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Kind says what a caller can do about an Error.
type Kind uint8

// The kinds of errors.
const (
	Other              Kind = iota
	BadConfig               // mend the Config
	BadAddress              // mend the address that was asked for
	NotSupported            // this version cannot do that yet
	NotReady                // the client has not come up in time: wait, or look at the cause
	Closed                  // the client was closed
	NoCircuit               // no circuit could be built in time
	NotFound                // the name does not exist, or the exit could not resolve it
	Refused                 // the destination refuses connections
	Unreachable             // the exit cannot reach the destination
	ExitPolicyRejected      // no exit lets this through
	Timeout                 // nobody answered in time
	Unauthorized            // the onion service lets only clients in that it knows: see Config.OnionAuth
	Interrupted             // the stream, its circuit or its relay went away
)

var kindNames = [...]string{
	"error", "bad configuration", "bad address", "not supported", "not ready", "client closed", "no circuit",
	"name not found", "connection refused", "destination unreachable", "rejected by exit policy", "timeout", "not authorized", "interrupted",
}

// String names the kind.
func (k Kind) String() string { return kindNames[k] }

// An Error is what every method of this package fails with. errors.Is finds net.ErrClosed, context errors and the like in
// it, and it is a net.Error.
type Error struct {
	Kind Kind
	Op   string // "new", "start", "dial", "resolve" or "listen"
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("tropea %s: %v: %v", e.Op, e.Kind, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout implements net.Error.
func (e *Error) Timeout() bool { return e.Kind == Timeout || e.Kind == NotReady || e.Kind == NoCircuit }

// Temporary implements net.Error.
func (e *Error) Temporary() bool { return e.Timeout() || e.Kind == Interrupted }

var _ net.Error = (*Error)(nil)

var (
	errPanic  = errors.New("a panic was contained in the client")
	errClosed = fmt.Errorf("client: %w", net.ErrClosed)
)

// stuckError says how far the start had come when the wait for it ended.
type stuckError struct {
	status  Status
	problem *Problem
	err     error
}

func (e *stuckError) Error() string {
	if e.problem == nil {
		return fmt.Sprintf("stuck at %v: %v", e.status, e.err)
	}
	return fmt.Sprintf("stuck at %v: %v. %s", e.status, e.problem.Err, e.problem.Advice)
}

func (e *stuckError) Unwrap() []error {
	if e.problem == nil {
		return []error{e.err}
	}
	return []error{e.err, e.problem.Err}
}

func kindOf(err error) Kind {
	var end *stream.EndError
	var build *circmgr.BuildError
	var onion *hsclient.Error
	switch {
	case errors.Is(err, attach.ErrOnion), errors.Is(err, attach.ErrExitName):
		return NotSupported
	case errors.Is(err, attach.ErrBadHost), errors.Is(err, attach.ErrInternal), errors.Is(err, attach.ErrNoFamily), errors.Is(err, attach.ErrBadOnion):
		return BadAddress
	case errors.Is(err, attach.ErrNoExit):
		return ExitPolicyRejected
	case errors.Is(err, attach.ErrPrivateName):
		return Unreachable
	case errors.As(err, &onion):
		return kindOfOnion(onion.Reason)
	case errors.As(err, &build):
		switch {
		case errors.Is(build.Cause, context.Canceled):
			return Other
		case errors.Is(build.Err, circmgr.ErrNoDirectory):
			return NotReady
		}
		return NoCircuit
	case errors.Is(err, circmgr.ErrClosed), errors.Is(err, hsclient.ErrClosed), errors.Is(err, errClosed):
		return Closed
	case errors.As(err, &end):
		return kindOfEnd(end.Reason)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Other
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return Timeout
	}
	return Interrupted
}

func kindOfOnion(r hsclient.Reason) Kind {
	switch r {
	case hsclient.NotFound, hsclient.Invalid:
		return NotFound
	case hsclient.MissingAuth, hsclient.BadAuth:
		return Unauthorized
	case hsclient.IntroTimedOut, hsclient.RendFailed:
		return Timeout
	}
	return Unreachable
}

func kindOfEnd(r relaymsg.EndReason) Kind {
	switch r {
	case relaymsg.EndResolveFailed:
		return NotFound
	case relaymsg.EndConnectRefused:
		return Refused
	case relaymsg.EndExitPolicy:
		return ExitPolicyRejected
	case relaymsg.EndNoRoute:
		return Unreachable
	case relaymsg.EndTimeout:
		return Timeout
	}
	return Interrupted
}
