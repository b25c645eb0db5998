package server

import (
	"errors"
	"net"
	"net/netip"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Admit opens a link over a connection that somebody has made to an ORPort, unless there are too many, and returns at once.
// It takes conn.
func (s *Server) Admit(conn net.Conn) {
	if s.hibernating.Load() {
		conn.Close()
		return
	}
	if s.conns.Add(1) > s.maxConns {
		s.conns.Add(-1)
		conn.Close()
		s.Exhausted(errTooMany)
		return
	}
	counted, ok := s.dos.Connect(remote(conn), s.cfg.Env.Now())
	if !ok {
		s.conns.Add(-1)
		conn.Close()
		return
	}
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
	if !l.Initiated() && (s.cfg.ExtendPrivate || !isLocal(p.Addr.Addr())) {
		s.publisher.Reached(p.Addr.Addr().Is6())
	}
	switch {
	case s.hibernating.Load():
		return false, cell.DestroyHibernating
	case l.Initiated(), p.Relay, s.dos.Create(p.Addr.Addr(), s.cfg.Env.Now()):
		return true, 0
	}
	return false, cell.DestroyResourceLimit
}

// isLocal tells of an address that does not show that we can be reached from the Internet.
func isLocal(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// Hibernate says whether the relay takes new links, circuits and streams. It goes on with those that it has.
func (s *Server) Hibernate(on bool) {
	s.hibernating.Store(on)
	s.publisher.Hibernate(on)
}

// AdmitDirectory answers a request over a connection to a DirPort, and returns at once. It takes conn.
func (s *Server) AdmitDirectory(conn net.Conn) {
	if s.answer == nil || !s.start("directory connection", func() { s.answer.Serve(s.ctx, conn, dircache.From{Addr: remote(conn)}) }) {
		conn.Close()
	}
}

func remote(conn net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
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
func (s *Server) Exhausted(err error) { s.log.Debug("cannot accept a connection", "err", err) }

var errTooMany = errors.New("no room for another connection: raise the limit of open files (ulimit -n)")
