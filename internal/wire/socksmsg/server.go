package socksmsg

import (
	"errors"
	"fmt"
	"strings"
)

// serverState is where a Server is in the handshake. An error leads to finished as well.
//
//	opening → finished                                   SOCKS4
//	opening → auth → request → finished                  SOCKS5 with a user name and password
//	opening → maybeAuth → request or finished → ...      SOCKS5 without
type serverState uint8

const (
	opening serverState = iota
	auth
	maybeAuth // "no authentication" was chosen, but some clients send a user name all the same
	request
	finished
)

// Server is the proxy's side of one handshake. The zero value is ready.
type Server struct {
	// PreferNoAuth chooses no authentication where the client offers it beside a user name and password.
	PreferNoAuth bool

	state serverState
	req   Request
	creds UserPass
}

// Step takes the next message from the start of buf. It returns the message's length n, and reply, which is to be sent
// (possibly nil). n == 0 without an error means that bytes are missing; they are never more than MaxMessageLen in all.
// After an error the handshake has failed: reply says so to the client, where the protocol can, and n has no meaning.
// For ErrHTTP the caller may answer in HTTP.
func (s *Server) Step(buf []byte) (n int, reply []byte, err error) {
	if len(buf) == 0 {
		return 0, nil, nil
	}
	switch s.state {
	case opening:
		n, reply, err = s.open(buf)
	case auth:
		n, reply, err = s.userPass(buf)
	case maybeAuth:
		if buf[0] == authVersion {
			n, reply, err = s.userPass(buf)
			break
		}
		n, reply, err = s.request5(buf)
	case request:
		n, reply, err = s.request5(buf)
	case finished:
		return 0, nil, ErrFinished
	}
	if err != nil {
		s.state = finished
	}
	return n, reply, err
}

// Done says whether Step has read all that belongs to the handshake. What follows is the client's data.
func (s *Server) Done() bool { return s.state == finished }

// Request returns what the client asked for. It is valid once Done, if Step did not fail.
func (s *Server) Request() Request { return s.req }

// httpInitials begin the names of HTTP's methods: CONNECT, DELETE, GET, HEAD, OPTIONS, POST, PUT, PATCH, TRACE.
// https://spec.torproject.org/socks-extensions.html#http-resistance
const httpInitials = "CDGHOPT"

func (s *Server) open(buf []byte) (n int, reply []byte, err error) {
	switch version := buf[0]; {
	case version == Version4:
		return s.request4(buf)
	case version == Version5:
		return s.greeting(buf)
	case strings.IndexByte(httpInitials, version) >= 0:
		return 0, nil, ErrHTTP
	default:
		return 0, nil, fmt.Errorf("%d: %w", version, ErrVersion)
	}
}

func (s *Server) greeting(buf []byte) (n int, reply []byte, err error) {
	g, n, err := ParseGreeting(buf)
	if n == 0 || err != nil {
		return 0, nil, err
	}
	method := g.choose(s.PreferNoAuth)
	reply = []byte{Version5, byte(method)}
	switch method {
	case UserPassAuth:
		s.state = auth
	case NoAuth:
		s.state = maybeAuth
	default:
		return 0, reply, fmt.Errorf("SOCKS5 greeting: %w", ErrAuthMethod)
	}
	return n, reply, nil
}

func (s *Server) userPass(buf []byte) (n int, reply []byte, err error) {
	u, n, err := ParseUserPass(buf)
	if err == nil && n > 0 {
		err = u.check()
	}
	if err != nil {
		return 0, []byte{authVersion, 1}, err
	}
	if n == 0 {
		return 0, nil, nil
	}
	s.creds, s.state = u, request
	return n, []byte{authVersion, 0}, nil
}

func (s *Server) request4(buf []byte) (n int, reply []byte, err error) {
	r, n, err := ParseRequest4(buf)
	if n > 0 && err == nil {
		err = r.check()
	}
	if err != nil {
		return 0, failure(Version4, GeneralFailure), err
	}
	if n > 0 {
		s.req, s.state = r, finished
	}
	return n, nil, nil
}

func (s *Server) request5(buf []byte) (n int, reply []byte, err error) {
	r, n, err := ParseRequest5(buf)
	if n > 0 && err == nil {
		err = r.check()
	}
	if err != nil {
		return 0, failure(Version5, codeFor(err)), err
	}
	if n > 0 {
		r.User, r.Pass = s.creds.User, s.creds.Pass
		s.req, s.state = r, finished
	}
	return n, nil, nil
}

// codeFor decides what a client is told about its own request.
func codeFor(err error) ReplyCode {
	switch {
	case errors.Is(err, ErrCommand):
		return CommandUnsupported
	case errors.Is(err, ErrAddrType):
		return AddrTypeUnsupported
	}
	return GeneralFailure
}

func failure(version uint8, code ReplyCode) []byte {
	b, err := Reply{Code: code}.AppendTo(nil, version)
	if err != nil {
		panic("socksmsg: reply without an address does not encode: " + err.Error())
	}
	return b
}
