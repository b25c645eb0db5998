package socks

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// errUnfinished is the failure of a handshake in which the application is no longer there to hear of it.
var errUnfinished = errors.New("SOCKS handshake was left unfinished")

// handshake reads what the application asks for. rest is what came behind it.
func (s *Server) handshake(c net.Conn) (req socksmsg.Request, rest []byte, err error) {
	hs := socksmsg.Server{PreferNoAuth: s.cfg.PreferNoAuth}
	buf := make([]byte, socksmsg.MaxMessageLen)
	have := 0
	for !hs.Done() {
		n, reply, err := hs.Step(buf[:have])
		if len(reply) > 0 {
			if _, werr := c.Write(reply); werr != nil {
				return req, nil, fmt.Errorf("%w: %w", errUnfinished, werr)
			}
		}
		if err != nil {
			return req, nil, err
		}
		if n > 0 {
			have = copy(buf, buf[n:have])
			continue
		}
		if n, err = c.Read(buf[have:]); n == 0 && err != nil {
			return req, nil, fmt.Errorf("%w: %w", errUnfinished, err)
		}
		have += n
	}
	return hs.Request(), buf[:have], nil
}

// handshakeFailed tells whoever is concerned. The protocol's own answer has been sent.
func (s *Server) handshakeFailed(c net.Conn, err error) {
	if errors.Is(err, errUnfinished) {
		s.cfg.Log.Debug("Closed a SOCKS connection", "error", err)
		return
	}
	if errors.Is(err, socksmsg.ErrHTTP) {
		io.WriteString(c, httpPage)
	}
	if s.foreign.allow() {
		s.cfg.Log.Warn("Refused a SOCKS request", "error", err)
	}
	linger(c)
}

// safe says whether req may go on, and warns of requests that name an address: an application that looked it up by
// itself told the local resolver where its user goes.
func (s *Server) safe(req socksmsg.Request) bool {
	if req.ByAddr && req.Command != socksmsg.ResolvePTR && !s.cfg.Mapped(netip.MustParseAddr(req.Host)) {
		if s.cfg.SafeSocks || s.cfg.TestSocks || s.unsafe.allow() {
			s.cfg.Log.Warn("An application asks for an address where it could ask for a name; it may look up names outside Tor",
				"socks", req.Version, "host", safelog.Of(req.Host), "port", req.Port, "refused", s.cfg.SafeSocks)
		}
		return !s.cfg.SafeSocks
	}
	if s.cfg.TestSocks {
		s.cfg.Log.Info("An application leaves the lookup of names to Tor, which is safe",
			"socks", req.Version, "host", safelog.Of(req.Host), "port", req.Port)
	}
	return true
}

// request translates req for the Connector.
func (s *Server) request(c net.Conn, req socksmsg.Request) Request {
	traffic, protocol := s.cfg.Traffic, isolation.SOCKS5
	if req.Version == socksmsg.Version4 {
		protocol = isolation.SOCKS4
		traffic.NoIPv6 = true // SOCKS4 knows no other addresses
	}
	return Request{
		Host: req.Host,
		Port: req.Port,
		Isolation: s.cfg.Isolation.Apply(isolation.Key{
			Group:    s.cfg.Group,
			Protocol: protocol,
			Client:   clientAddr(c),
			User:     req.User,
			Pass:     req.Pass,
			Host:     req.Host,
			Port:     req.Port,
		}),
		KeepAlive: s.cfg.KeepAlive && !s.cfg.Isolation.NoSOCKSAuth && (req.User != "" || req.Pass != ""),
		Traffic:   traffic,
	}
}
