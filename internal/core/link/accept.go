package link

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

var errNoCredentials = errors.New("link: only a relay accepts links")

// Accept opens a link over a connection that somebody has made to this relay, and serves it until it ends. It takes raw.
// The error says why no link came of it, and is nil once one was open. Whoever calls limits how many connections there
// are in all, and Config.Accept how many of one address.
func (r *Registry) Accept(raw net.Conn) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		raw.Close()
		return ErrClosed
	}
	r.wg.Add(1) // under mu, so that Close waits for it
	r.mu.Unlock()
	defer r.wg.Done()
	r.tune(raw)
	l, err := r.accept(raw)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.addLocked(l)
	r.mu.Unlock()
	r.limit(l)
	r.publish(Event{State: StateOpen, Accepted: true, Addr: l.peer.Addr, Skew: l.skew})
	r.serve(l, Target{})
	return nil
}

// accept does TLS and the handshake.
func (r *Registry) accept(raw net.Conn) (l *Link, err error) {
	if r.cfg.Credentials == nil {
		raw.Close()
		return nil, errNoCredentials
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timeout)
	defer cancel()
	addr := netx.RemoteAddr(raw) // later the connection may be broken
	h := responder{shake: r.shake(nil)}
	m := newMeter(raw, &r.rates, Relayed)
	conn, err := r.cfg.Security.Server(ctx, m, h.self.TLS)
	if err != nil {
		return nil, fmt.Errorf("accepting a link: %w", contextError(ctx, err))
	}
	h.conn = conn
	err = errPanic
	safego.Run(r.log, "link handshake", func() { err = inTime(ctx, conn, h.run) })
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("accepting a link: %w", contextError(ctx, err))
	}
	return r.newLink(&h.shake, m, addr), nil
}
