package server

import (
	"errors"
	"net"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/role/stats"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
)

// Admit opens a link over a connection that somebody has made to an ORPort, unless there are too many, and returns at once.
// It takes conn.
func (s *Server) Admit(conn net.Conn) {
	if s.hibernating() {
		conn.Close()
		return
	}
	if s.conns.Add(1) > s.maxConns {
		s.conns.Add(-1)
		conn.Close()
		s.Exhausted(errTooMany)
		return
	}
	counted, ok := s.dos.Connect(netx.RemoteAddr(conn).Addr(), s.cfg.Env.Now())
	if !ok {
		s.conns.Add(-1)
		conn.Close()
		return
	}
	s.stats.Client(netx.RemoteAddr(conn).Addr())
	if !s.start("link", func() {
		defer s.conns.Add(-1)
		defer func() { counted.Close(s.cfg.Env.Now()) }()
		if err := s.links.Accept(conn); err != nil {
			s.log.Debug("link not accepted", "err", err)
		}
	}) {
		counted.Close(s.cfg.Env.Now())
		s.conns.Add(-1)
		conn.Close()
	}
}

// mayCreate tells whether a link may make one more circuit. The defence is against clients: a relay speaks for many.
func (s *Server) mayCreate(l *link.Link) (bool, cell.DestroyReason) {
	p := l.Peer()
	s.stats.Onionskin(s.cfg.Env.Now())
	if !l.Initiated() {
		s.publisher.Incoming(l.SeenFrom(), p.Addr.Addr())
	}
	switch {
	case s.hibernating():
		return false, cell.DestroyHibernating
	case l.Initiated(), p.Relay, s.dos.Create(p.Addr.Addr(), s.cfg.Env.Now()):
		return true, 0
	}
	return false, cell.DestroyResourceLimit
}

// hibernating tells whether new links, circuits and streams are refused.
func (s *Server) hibernating() bool { return s.interrupted.Load() || s.stopping.Load() }

// Interrupt makes the relay take no new links, circuits and streams any more. It goes on with those that it has.
func (s *Server) Interrupt() { s.interrupted.Store(true) }

// AdmitDirectory answers a request over a connection to a DirPort, and returns at once. It takes conn.
func (s *Server) AdmitDirectory(conn net.Conn) {
	if p := exitpolicy.Policy(s.cfg.DirPolicy); p.Judge(netx.RemoteAddr(conn).Addr(), 1) == exitpolicy.Rejected {
		conn.Close()
		return
	}
	if s.answer == nil || !s.start("directory connection", func() {
		s.answer.Serve(s.ctx, s.links.Metered(conn, link.Relayed), dircache.From{Addr: netx.RemoteAddr(conn).Addr()})
	}) {
		conn.Close()
	}
}

// start runs f in a goroutine that Close waits for, unless the server is closed.
func (s *Server) start(name string, f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	safego.Go(&s.wg, s.log, name, f)
	return true
}

// Exhausted takes note that connections cannot be taken for want of room.
func (s *Server) Exhausted(err error) {
	s.stats.Overloaded(stats.Files, s.cfg.Env.Now())
	s.log.Debug("cannot accept a connection", "err", err)
}

var errTooMany = errors.New("no room for another connection: raise the limit of open files (ulimit -n)")
