package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// serveConn serves one application's connection to its end. It ends early if ctx does.
func (s *Server) serveConn(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	client := clientAddr(c)
	if client.IsValid() && !s.cfg.Allow(client) {
		s.cfg.Log.Info("Refused a SOCKS connection by policy")
		return
	}
	c.SetDeadline(time.Now().Add(s.cfg.Timeout))
	req, early, err := s.handshake(c)
	if err != nil {
		s.handshakeFailed(c, err)
		return
	}
	if !s.safe(req) {
		s.answer(c, req, socksmsg.Reply{Code: socksmsg.NotAllowed})
		return
	}
	if req.Command == socksmsg.Connect {
		s.connect(ctx, c, req, early)
	} else {
		s.lookUp(ctx, c, req)
	}
}

// connect serves CONNECT.
func (s *Server) connect(ctx context.Context, c net.Conn, req socksmsg.Request, early []byte) {
	w := s.wait(ctx, c, early)
	out := s.request(c, req)
	out.Early = w.early
	stream, err := s.connector.Dial(w.ctx, out)
	gone := w.stop()
	if err != nil {
		if !gone {
			s.answer(c, req, socksmsg.Reply{Code: s.code(err)})
		}
		return
	}
	defer stream.Close()
	if gone || s.reply(c, req, socksmsg.Reply{}) != nil {
		return
	}
	c.SetDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { stream.Close() })()
	splice(s.cfg.Log, c, stream, w.rest())
}

// lookUp serves RESOLVE and RESOLVE_PTR.
func (s *Server) lookUp(ctx context.Context, c net.Conn, req socksmsg.Request) {
	w := s.wait(ctx, c, nil)
	reply, err := s.find(w.ctx, c, req)
	if w.stop() {
		return
	}
	if err != nil {
		reply = socksmsg.Reply{Code: s.code(err)}
	}
	s.answer(c, req, reply)
}

// errNoAnswer is the failure of a lookup that found nothing, or nothing that the reply can hold.
var errNoAnswer = errors.New("lookup found nothing that fits into a SOCKS reply")

func (s *Server) find(ctx context.Context, c net.Conn, req socksmsg.Request) (socksmsg.Reply, error) {
	if req.Command == socksmsg.ResolvePTR {
		names, err := s.connector.ResolvePTR(ctx, s.request(c, req))
		if err != nil {
			return socksmsg.Reply{}, err
		}
		for _, name := range names {
			if 0 < len(name) && len(name) <= 255 {
				return socksmsg.Reply{Name: name}, nil
			}
		}
		return socksmsg.Reply{}, errNoAnswer
	}
	addrs, _, err := s.connector.Resolve(ctx, s.request(c, req))
	if err != nil {
		return socksmsg.Reply{}, err
	}
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() || a.Is6() && req.Version == socksmsg.Version5 {
			return socksmsg.Reply{Addr: a}, nil
		}
	}
	return socksmsg.Reply{}, errNoAnswer
}

// clientAddr returns the address of the application, or none if it came by a local socket.
func clientAddr(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// answer sends the last that the application hears from us.
func (s *Server) answer(c net.Conn, req socksmsg.Request, r socksmsg.Reply) {
	if s.reply(c, req, r) == nil {
		linger(c)
	}
}

// reply sends r.
func (s *Server) reply(c net.Conn, req socksmsg.Request, r socksmsg.Reply) error {
	if !r.Addr.IsValid() && r.Name == "" && req.Version == socksmsg.Version5 && !clientAddr(c).Is4() {
		// C tor: the address, all zero, has the family of the application's own. torsocks counts on its length.
		r.Addr = netip.IPv6Unspecified()
	}
	b, err := r.AppendTo(nil, req.Version)
	if err != nil {
		return err
	}
	c.SetWriteDeadline(time.Now().Add(s.cfg.Timeout))
	_, err = c.Write(b)
	return err
}

const (
	lingerTime  = 2 * time.Second
	lingerBytes = 64 << 10
)

// linger ends c such that the application can read what we sent. If c were closed while it holds unread data, the
// kernel would break the connection, and the application might lose our answer.
func linger(c net.Conn) {
	h, ok := c.(netx.HalfCloser)
	if !ok || h.CloseWrite() != nil {
		return
	}
	c.SetReadDeadline(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, c, lingerBytes)
}
