package dircache

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

// acceptPause is how long a DirPort waits after a failure to accept, such as that no file descriptor is left.
const acceptPause = 100 * time.Millisecond

// Listen serves a DirPort until ctx ends or the listener is closed, and returns after the last request is done with. It
// closes l.
func (s *Server) Listen(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return context.Cause(ctx)
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		case s.conns.Load() >= int64(s.cfg.MaxConns):
			conn.Close()
			continue
		}
		safego.Go(&wg, s.cfg.Env.Log, "directory connection", func() { s.Serve(ctx, conn, From{Addr: remote(conn)}) })
	}
}

func remote(conn net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}
