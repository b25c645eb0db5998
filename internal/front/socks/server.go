package socks

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

// A Server serves the applications of one SocksPort line. Its methods are safe for concurrent use.
type Server struct {
	connector Connector
	cfg       Config

	unsafe, foreign throttle // for warnings that any application can provoke
}

// New returns a Server that reaches Tor through c.
func New(c Connector, cfg Config) *Server {
	return &Server{connector: c, cfg: cfg.withDefaults()}
}

// Serve takes connections from l until ctx ends or l is closed. It closes l, and returns after all its connections
// are closed.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()

	for failures := 0; ; {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return context.Cause(ctx)
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			// Such as a lack of file descriptors: it passes.
			s.cfg.Log.Warn("Could not accept a SOCKS connection", "error", err)
			failures++
			pause(ctx, failures)
			continue
		}
		failures = 0
		safego.Go(&wg, s.cfg.Log, "socks connection", func() { s.serveConn(ctx, c) })
	}
}

// pause waits after failures to accept in a row: 10 ms at first, 1 s in the end.
func pause(ctx context.Context, failures int) {
	timer := time.NewTimer(min(10*time.Millisecond<<min(failures-1, 10), time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
