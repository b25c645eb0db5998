package netx

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// Scrub returns err such that printing it shows no address: the errors of package net name both ends of a connection.
// What happened stays readable, and errors.Is and errors.AsType see the whole error. Errors that hold no address, such
// as io.EOF, are returned as they are.
func Scrub(err error) error {
	if err == nil {
		return nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return safelog.Error(err, op.Op+" "+op.Net+" "+safelog.Scrubbed+": "+cause(op.Err))
	}
	if holdsAddr(err) {
		return safelog.Error(err, safelog.Scrubbed)
	}
	return err
}

// holdsAddr reports whether err is, or wraps, one of the errors of package net whose text holds what was asked for.
func holdsAddr(err error) bool {
	_, isAddr := errors.AsType[*net.AddrError](err)
	_, isDNS := errors.AsType[*net.DNSError](err)
	_, isParse := errors.AsType[*net.ParseError](err)
	return isAddr || isDNS || isParse
}

// harmless are the causes whose text is known to be constant.
var harmless = []error{
	ErrName, net.ErrClosed, os.ErrDeadlineExceeded, context.Canceled, context.DeadlineExceeded,
}

// cause returns the innermost text of err that holds no address.
func cause(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	for _, h := range harmless {
		if errors.Is(err, h) {
			return h.Error()
		}
	}
	if unknown, ok := errors.AsType[net.UnknownNetworkError](err); ok {
		return unknown.Error()
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return os.ErrDeadlineExceeded.Error()
	}
	return safelog.Scrubbed
}
