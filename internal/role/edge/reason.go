package edge

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// ReasonOf says in END why a connection failed, or is over (errno_to_stream_end_reason in C tor).
//
// https://spec.torproject.org/tor-spec/closing-streams.html
func ReasonOf(err error) relaymsg.EndReason {
	switch {
	case err == nil:
		return relaymsg.EndInternal
	case errors.Is(err, io.EOF):
		return relaymsg.EndDone
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return relaymsg.EndTimeout
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		if r, ok := reasons[errno]; ok {
			return r
		}
	}
	return relaymsg.EndMisc
}
