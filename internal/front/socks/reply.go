package socks

import (
	"errors"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// A Replier is an error that knows what an application is to be told.
type Replier interface {
	error
	SOCKSReply() socksmsg.ReplyCode
}

// DefaultReplyCode returns what a Replier within err says, TTLExpired if time ran out, and otherwise GeneralFailure.
func DefaultReplyCode(err error) socksmsg.ReplyCode {
	if r, ok := errors.AsType[Replier](err); ok {
		return r.SOCKSReply()
	}
	if isTimeout(err) {
		return socksmsg.TTLExpired
	}
	return socksmsg.GeneralFailure
}

// ReplyForEnd returns what an application is told about a stream that ended before it was open, as C tor does
// (stream_end_reason_to_socks5_response).
func ReplyForEnd(reason relaymsg.EndReason) socksmsg.ReplyCode {
	switch reason {
	case relaymsg.EndResolveFailed, relaymsg.EndNoRoute:
		return socksmsg.HostUnreachable
	case relaymsg.EndConnectRefused, relaymsg.EndConnReset, relaymsg.EndDone:
		// DONE before CONNECTED means that the other side closed at once.
		return socksmsg.ConnRefused
	case relaymsg.EndExitPolicy:
		return socksmsg.NotAllowed
	case relaymsg.EndTimeout:
		return socksmsg.TTLExpired
	}
	return socksmsg.GeneralFailure
}

// code returns the reply code for a failure of the Connector.
func (s *Server) code(err error) socksmsg.ReplyCode {
	if errors.Is(err, errNoAnswer) {
		return socksmsg.HostUnreachable
	}
	code := s.cfg.ReplyCode(err)
	if code == socksmsg.Succeeded {
		return socksmsg.GeneralFailure // an error is no success, whatever the mapping says
	}
	if !s.cfg.ExtendedErrors {
		return code.Plain()
	}
	return code
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
