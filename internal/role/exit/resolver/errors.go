package resolver

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// Why a look-up failed. All come within an [*Error].
var (
	ErrNotFound   = errors.New("the name does not exist or has no such address")
	ErrBadName    = errors.New("not a name that an exit looks up")
	ErrServer     = errors.New("the nameservers could not answer")
	ErrTimeout    = errors.New("the nameservers did not answer in time")
	ErrBusy       = errors.New("too many look-ups at a time")
	ErrNoServers  = errors.New("no nameservers are configured")
	errPanic      = errors.New("the look-up failed by a bug")
	errTruncated  = errors.New("the answer is cut off")
	errFlooded    = errors.New("too many answers to other questions")
	errGarbage    = errors.New("the nameserver sent nonsense")
	errCNAMELoop  = errors.New("the nameserver sent aliases without end")
	errNoSuchConf = errors.New("resolv.conf names no nameservers")
)

// An Error says why a name or an address could not be looked up. It prints nothing of what was asked for.
type Error struct {
	Err       error         // one of the Err variables, or what ended the context
	Permanent bool          // asking again will not help: RESOLVED has error 0xF1, else 0xF0; END has RESOLVEFAILED for both
	TTL       time.Duration // for RESOLVED; whole seconds
}

func (e *Error) Error() string { return "resolve: " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Timeout makes Error a [net.Error].
func (e *Error) Timeout() bool {
	return errors.Is(e.Err, ErrTimeout) || errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, os.ErrDeadlineExceeded)
}

// Temporary is the contrary of Permanent.
func (e *Error) Temporary() bool { return !e.Permanent }

var _ net.Error = (*Error)(nil)

// permanent and temporary return an Error that has the lifetime that C tor would tell, that of an answer without one.
func permanent(err error) *Error { return &Error{Err: err, Permanent: true, TTL: clipTTL(0)} }
func temporary(err error) *Error { return &Error{Err: err, TTL: clipTTL(0)} }
