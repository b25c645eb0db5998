package attach

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// maxOnionTries is how many circuits to a service a stream may lose before it fails. One that others have used may be about to
// end; a new one that ends tells what the service thinks of the stream.
const maxOnionTries = 3

// dialOnion opens a stream to an onion service. How long the service may take is for ctx to say, as in C tor.
func (a *Attacher) dialOnion(ctx context.Context, req Request) (*stream.Stream, error) {
	service, err := onionaddr.Parse(strings.TrimRight(req.Host, "."))
	if err != nil {
		return nil, fmt.Errorf("%w: %v: %w", ErrBadOnion, safelog.Of(req.Host), err)
	}
	if a.cfg.Onions == nil || req.NoOnion {
		return nil, ErrNoOnions
	}
	begin, err := relaymsg.NewBegin("", req.Port, 0) // "the address is empty": the service need not know how it was called
	if err != nil {
		return nil, errors.Join(ErrBadHost, err)
	}
	for n := 1; ; n++ {
		lease, err := a.cfg.Onions.Open(ctx, hsclient.Request{Service: service, Port: req.Port, Isolation: req.Isolation})
		if err != nil {
			return nil, err
		}
		s, err := connectOnion(ctx, lease, begin, req.Early)
		if err == nil {
			a.cfg.Log.Debug("stream opened", "onion circ", lease.Circ, "to", req.target())
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, &StreamError{n, context.Cause(ctx)}
		}
		a.cfg.Log.Debug("stream failed", "onion circ", lease.Circ, "to", req.target(), "try", n, "err", err)
		if _, ended := errors.AsType[*stream.EndError](err); ended || lease.Fresh || n == maxOnionTries {
			return nil, &StreamError{n, err}
		}
		a.cfg.Onions.Retire(lease.Circ)
	}
}

func connectOnion(ctx context.Context, lease hsclient.Lease, begin relaymsg.Begin, early func() []byte) (*stream.Stream, error) {
	s, err := begun(lease.Tunnel, begin, early)
	if err != nil {
		return nil, err
	}
	if err := s.Wait(ctx); err != nil {
		return nil, err
	}
	return s, nil
}
