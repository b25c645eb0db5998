package hsclient

import (
	"errors"
	"fmt"
	"net"
)

// Reason is why a service cannot be reached, in the terms of what applications may be told.
//
// https://spec.torproject.org/proposals/304-socks5-extending-hs-error-codes.html
type Reason uint8

// The reasons.
const (
	NotFound      Reason = iota + 1 // no directory has a descriptor
	Invalid                         // what they have is no descriptor of the service
	IntroFailed                     // no introduction point would take us
	IntroTimedOut                   // or has answered
	RendFailed                      // the service has not come
	MissingAuth                     // the service wants to know its clients, and we have no key for it
	BadAuth                         // or not the right one
)

var reasonTexts = [...]string{
	NotFound:      "no directory has the onion service's descriptor",
	Invalid:       "the onion service's descriptor is malformed",
	IntroFailed:   "no introduction point of the onion service would take us",
	IntroTimedOut: "no introduction point of the onion service has answered in time",
	RendFailed:    "the onion service has not come to the rendezvous",
	MissingAuth:   "the onion service lets only clients in that it knows, and there is no key for it",
	BadAuth:       "the onion service does not know the key that we have for it",
}

func (r Reason) String() string { return reasonTexts[r] }

// An Error says why a service cannot be reached.
type Error struct {
	Reason Reason
	Err    error // the last failure; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reason.String()
	}
	return fmt.Sprintf("%v: %v", e.Reason, e.Err)
}

// because gives a failure another reason.
func because(r Reason, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		err = e.Err
	}
	return &Error{r, err}
}

// Unwrap returns the last failure.
func (e *Error) Unwrap() error { return e.Err }

// Timeout tells whether time ran out.
func (e *Error) Timeout() bool { return e.Reason == IntroTimedOut || e.Reason == RendFailed }

// ErrClosed is why requests fail when the client ends.
var ErrClosed = fmt.Errorf("onion service client: %w", net.ErrClosed)

// What an introduction or a meeting can fail with, besides the errors of circuits.
var (
	errNoPoints  = errors.New("no usable introduction point is left")
	errNoDirs    = errors.New("no directory is left to ask")
	errAckSlow   = errors.New("introduction point did not answer in time")
	errLate      = errors.New("service has not come yet")
	errEstablish = errors.New("rendezvous point did not answer in time")
	errOtherKey  = errors.New("descriptor of another key")
	errIncrement = errors.New("descriptor has a SENDME increment that is out of range")
	errNoAddress = errors.New("introduction point without IPv4 address or RSA identity")
	errPrivate   = errors.New("introduction point with an internal address")
	errTooLong   = errors.New("it has taken too long to connect to the onion service")
	errAbandoned = errors.New("nobody waits for the circuit any more")
	errPanic     = errors.New("panic while connecting to an onion service")
)

// A nackError says that an introduction point has not passed an introduction on.
type nackError struct{ status fmt.Stringer }

func (e *nackError) Error() string { return fmt.Sprintf("introduction refused: %v", e.status) }
