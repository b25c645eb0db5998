package attach

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Circuits gives out circuits. circmgr.Manager is one.
type Circuits interface {
	Exit(ctx context.Context, need circmgr.Need) (circmgr.Lease, error)
	Retire(circ uint64)
}

// Onions gives out circuits to onion services. hsclient.Client is one.
type Onions interface {
	Open(ctx context.Context, r hsclient.Request) (hsclient.Lease, error)
	Retire(circ uint64)
}

// Config is what an Attacher needs.
type Config struct {
	Circuits Circuits
	Onions   Onions // nil if onion services are out of reach
	Log      *slog.Logger

	RejectInternal bool          // refuse internal addresses, asked for or resolved to
	OddNames       bool          // let names through that hold other characters than host names do
	StreamTimeout  time.Duration // how long an exit may take to answer; if zero 10 s for two tries, then 15 s
}

// A Request is what an application asks for.
type Request struct {
	Host      string // a name, or an address in text form
	Port      uint16 // not used by look-ups
	Isolation isolation.Key
	KeepAlive bool // the circuit stays young as long as it is used

	// Early returns what is to be sent right behind BEGIN, at most MaxEarly bytes; it may be nil. It is called once for
	// each circuit that is tried: what its last call gave is what the stream that Dial returns has got.
	Early func() []byte

	NoOnion        bool // it may not go to an onion service
	NoIPv4, NoIPv6 bool // the exit may not connect by, or answer with, addresses of that family
	PreferIPv6     bool
}

// MaxEarly bounds early data: it must fit into the windows of a new stream, since nobody reads it before the stream
// is open.
const MaxEarly = 64 << 10

// target is where the request goes, for logs.
func (r *Request) target() safelog.Sensitive[string] {
	return safelog.Of(net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port))))
}

const (
	maxTries = 3 // exits that may fail a request
	maxLost  = 8 // circuits that may go away under it: when a relay dies, all those through it do
)

// An Attacher opens streams. Its methods are safe for concurrent use.
type Attacher struct{ cfg Config }

// New returns an Attacher.
func New(cfg Config) *Attacher { return &Attacher{cfg} }

// Dial opens a stream and waits until the exit has connected it.
func (a *Attacher) Dial(ctx context.Context, req Request) (*stream.Stream, error) {
	if IsOnion(req.Host) {
		return a.dialOnion(ctx, req)
	}
	host, addr, err := a.parseHost(req.Host)
	if err != nil {
		return nil, err
	}
	flags, err := beginFlags(req)
	if err != nil {
		return nil, err
	}
	if addr.IsValid() && (addr.Is4() && req.NoIPv4 || addr.Is6() && req.NoIPv6) {
		return nil, ErrNoFamily
	}
	begin, err := relaymsg.NewBegin(host, req.Port, flags)
	if err != nil {
		return nil, errors.Join(ErrBadHost, err)
	}
	need := pathsel.Need{Port: req.Port, Addr: addr, IPv6: addr.Is6()}
	return try(ctx, a, req, need, func(ctx context.Context, l circmgr.Lease) (*stream.Stream, error) {
		s, err := begun(l.Tunnel, begin, req.Early)
		if err != nil {
			return nil, err
		}
		if err := s.Wait(ctx); err != nil {
			return nil, err
		}
		if a.cfg.RejectInternal && s.RemoteIP().IsValid() && internal(s.RemoteIP()) {
			s.Close()
			return nil, ErrPrivateName
		}
		return s, nil
	})
}

// begun opens a stream, and sends early data together with what opens it. That the other end has refused the stream meanwhile is
// for Wait to tell.
func begun(t *circuit.Tunnel, begin relaymsg.Begin, early func() []byte) (*stream.Stream, error) {
	var b []byte
	if early != nil {
		b = early()
	}
	switch {
	case len(b) == 0:
		return t.Connect(begin)
	case len(b) > MaxEarly:
		return nil, errors.New("attach: early data is too long")
	}
	s, err := t.Prepare(begin)
	if err != nil {
		return nil, err
	}
	s.Write(b)
	return s, nil
}

// Resolve returns the addresses of a name, and for how long they are good.
func (a *Attacher) Resolve(ctx context.Context, req Request) ([]netip.Addr, time.Duration, error) {
	host, addr, err := a.parseHost(req.Host)
	if err != nil {
		return nil, 0, err
	}
	if addr.IsValid() {
		return []netip.Addr{addr}, 0, nil // nothing to look up
	}
	answers, err := a.lookup(ctx, req, host)
	if err != nil {
		return nil, 0, err
	}
	var addrs []netip.Addr
	ttl := uint32(math.MaxUint32) // of all of them
	for _, x := range answers {
		if ip := x.Addr.Unmap(); ip.IsValid() && !(ip.Is4() && req.NoIPv4) && !(ip.Is6() && req.NoIPv6) {
			if a.cfg.RejectInternal && internal(ip) {
				return nil, 0, ErrPrivateName
			}
			addrs, ttl = append(addrs, ip), min(ttl, x.TTL)
		}
	}
	if len(addrs) == 0 {
		return nil, 0, &stream.EndError{Reason: relaymsg.EndResolveFailed}
	}
	return addrs, time.Duration(ttl) * time.Second, nil
}

// ResolvePTR returns the names of an address, given in text form.
func (a *Attacher) ResolvePTR(ctx context.Context, req Request) ([]string, error) {
	_, addr, err := a.parseHost(req.Host)
	if err != nil {
		return nil, err
	}
	if !addr.IsValid() {
		return nil, ErrBadHost
	}
	answers, err := a.lookup(ctx, req, relaymsg.ReverseName(addr))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, x := range answers {
		if x.Type == relaymsg.AnswerName {
			names = append(names, x.Name)
		}
	}
	if len(names) == 0 {
		return nil, &stream.EndError{Reason: relaymsg.EndResolveFailed}
	}
	return names, nil
}

// lookup sends RESOLVE and turns the exits' errors into one of ours.
func (a *Attacher) lookup(ctx context.Context, req Request, name string) ([]relaymsg.Answer, error) {
	return try(ctx, a, req, pathsel.Need{Resolve: true}, func(ctx context.Context, l circmgr.Lease) ([]relaymsg.Answer, error) {
		s, err := l.Tunnel.Resolve(name)
		if err != nil {
			return nil, err
		}
		answers, err := s.Answers(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range answers {
			if x.Type == relaymsg.AnswerErrorTransient || x.Type == relaymsg.AnswerError {
				return nil, &stream.EndError{Reason: relaymsg.EndResolveFailed}
			}
		}
		return answers, nil
	})
}

// try runs open on one circuit after another until it works, the fault is the destination's, or the tries are used up.
func try[T any](ctx context.Context, a *Attacher, req Request, need pathsel.Need, open func(context.Context, circmgr.Lease) (T, error)) (T, error) {
	var none T
	var last error // of the try before
	for n, lost := 1, 0; ; {
		lease, err := a.cfg.Circuits.Exit(ctx, circmgr.Need{Need: need, Isolation: req.Isolation, KeepAlive: req.KeepAlive})
		if err != nil {
			return none, noCircuit(err, n-1+lost, last)
		}
		timed, cancel := context.WithTimeoutCause(ctx, a.timeout(n), errSlowExit)
		v, err := open(timed, lease)
		cancel()
		if err == nil {
			a.cfg.Log.Debug("stream opened", "circ", lease.Circ, "to", req.target())
			return v, nil
		}
		if ctx.Err() != nil {
			return none, &StreamError{n + lost, context.Cause(ctx)}
		}
		a.cfg.Log.Debug("stream failed", "circ", lease.Circ, "to", req.target(), "try", n+lost, "err", err)
		retry, spoilt, blame := judge(err)
		if spoilt {
			a.cfg.Circuits.Retire(lease.Circ)
		}
		switch {
		case !retry, blame && n == maxTries, lost == maxLost:
			return none, &StreamError{n + lost, err}
		case !blame:
			lost++
			continue
		}
		n++
		last = err
		need.Avoid = append(need.Avoid[:len(need.Avoid):len(need.Avoid)], lease.Exit)
	}
}

// noCircuit says what a request fails with for which there is no circuit, after some tries with others.
func noCircuit(err error, tries int, last error) error {
	none, ok := errors.AsType[*pathsel.Error](err)
	switch {
	case ok && none.Reason == pathsel.Avoided && last != nil:
		return &StreamError{tries, last} // a small network has no more exits to try
	case ok && none.Reason == pathsel.Rejected:
		return fmt.Errorf("%w: %w", ErrNoExit, err)
	}
	return err
}

// errSlowExit ends a try whose exit has not answered in time.
var errSlowExit error = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string   { return "exit did not answer in time" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

func (a *Attacher) timeout(try int) time.Duration {
	switch {
	case a.cfg.StreamTimeout > 0:
		return a.cfg.StreamTimeout
	case try <= 2:
		return 10 * time.Second
	}
	return 15 * time.Second
}

// judge says whether another circuit may do better after err, whether this one should take no new streams, and whether
// its exit is to blame.
func judge(err error) (retry, spoilt, blame bool) {
	var end *stream.EndError
	switch {
	case errors.As(err, &end):
		switch end.Reason {
		case relaymsg.EndExitPolicy, relaymsg.EndHibernating, relaymsg.EndResourceLimit:
			return true, false, true
		case relaymsg.EndResolveFailed, relaymsg.EndTimeout, relaymsg.EndMisc, relaymsg.EndNoRoute:
			return true, true, true
		case relaymsg.EndTorProtocol, relaymsg.EndDestroy, relaymsg.EndInternal:
			return true, true, true
		}
		return false, false, false // it is the destination's answer
	case errors.Is(err, ErrPrivateName):
		return false, false, false
	case errors.Is(err, errSlowExit):
		return true, true, true
	}
	return true, true, false // the circuit went away
}

// beginFlags says which families the exit may use.
//
// https://spec.torproject.org/tor-spec/opening-streams.html
func beginFlags(req Request) (flags uint32, err error) {
	if req.NoIPv4 && req.NoIPv6 {
		return 0, ErrNoFamily
	}
	if !req.NoIPv6 {
		flags |= relaymsg.BeginIPv6OK
	}
	if req.NoIPv4 {
		flags |= relaymsg.BeginIPv4NotOK
	}
	if req.PreferIPv6 {
		flags |= relaymsg.BeginIPv6Preferred
	}
	return flags, nil
}
