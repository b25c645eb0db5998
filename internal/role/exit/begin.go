package exit

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/role/edge"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A target is where a BEGIN wants to go.
type target struct {
	host    string
	addr    netip.Addr // host, if that is an address
	port    uint16
	want    resolver.Want
	prefer6 bool
}

// begin decides on a BEGIN as far as that goes without waiting.
func (e *Exit) begin(c *circuit.RelayCircuit, s stream.Incoming) {
	t, reason := e.admit(c.Prev().Peer(), s.Body)
	if reason == 0 && !e.mayStream(c) {
		reason = relaymsg.EndMisc
	}
	if reason == 0 && !t.mayBeAllowed(e.policy.Load()) {
		e.refuse(s.Stream, t, rejected(t.addr))
		return
	}
	if reason == 0 {
		reason = e.start(c, s.Stream, func(f *flow) func() { return f.open(t) })
	}
	if reason != 0 {
		e.refuse(s.Stream, t, relaymsg.End{Reason: reason})
	}
}

// mayBeAllowed tells whether there is any use in looking further.
func (t target) mayBeAllowed(p *policy) bool {
	if t.addr.IsValid() {
		return p.allows(t.addr, t.port)
	}
	return p.mayAllow(t.want, t.port)
}

func (e *Exit) refuse(s *stream.Stream, t target, end relaymsg.End) {
	s.End(end)
	e.cfg.Note(Event{Kind: Refused, Port: t.port, Reason: end.Reason})
}

// admit looks at who asks, and for what. The order of the checks is C tor's (connection_exit_begin_conn). A reason other
// than 0 refuses the stream.
func (e *Exit) admit(peer link.Peer, body []byte) (t target, reason relaymsg.EndReason) {
	m, err := relaymsg.ParseBegin(body)
	if err != nil {
		return t, relaymsg.EndTorProtocol
	}
	t.host, t.port, _ = m.HostPort()
	t.addr, _ = netip.ParseAddr(t.host)
	switch {
	case !peer.Relay:
		return t, relaymsg.EndTorProtocol // we are the only hop of the circuit
	case !e.cfg.KnownRelay(peer):
		return t, relaymsg.EndMisc
	}
	t.want = resolver.Want{V4: m.Flags&relaymsg.BeginIPv4NotOK == 0, V6: m.Flags&relaymsg.BeginIPv6OK != 0 && e.policy.Load().v6}
	t.prefer6 = t.want.V6 && m.Flags&relaymsg.BeginIPv6Preferred != 0
	switch {
	case !t.addr.IsValid() && !t.want.V4 && !t.want.V6:
		return t, relaymsg.EndExitPolicy
	case e.cfg.Hibernating():
		return t, relaymsg.EndHibernating
	}
	return t, 0
}

// open connects to the target, and tells the client the outcome. It returns what carries the stream, nil if it is over.
func (f *flow) open(t target) func() {
	conn, to, end := f.e.connect(opening{f.s}, t)
	if conn == nil {
		f.e.refuse(f.s, t, end)
		return nil
	}
	f.e.mu.Lock()
	closed := f.e.closed
	f.conn, f.to = conn, to
	f.e.mu.Unlock()
	// From here on Reevaluate sees the stream; a policy that was set before, we see.
	switch {
	case closed:
		end = relaymsg.End{Reason: relaymsg.EndHibernating}
	case !f.e.policy.Load().allows(to.Addr(), to.Port()):
		end = rejected(to.Addr())
	default:
		return f.carry
	}
	conn.Close()
	f.e.refuse(f.s, t, end)
	return nil
}

// connect finds the target's addresses and connects to the first that can be reached, which it returns as the policy has
// judged it. Without one, end is what the client is to be told: about the address that comes first.
func (e *Exit) connect(ctx context.Context, t target) (conn net.Conn, to netip.AddrPort, end relaymsg.End) {
	addrs, end := e.addresses(ctx, t)
	if len(addrs) == 0 {
		return nil, to, end
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.ConnectTimeout)
	defer cancel()
	for _, addr := range addrs {
		conn, reason := e.dial(ctx, netip.AddrPortFrom(addr.Unmap(), t.port))
		if conn != nil {
			return conn, netip.AddrPortFrom(addr, t.port), relaymsg.End{}
		}
		if end.Reason == 0 {
			end.Reason = reason
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, to, end
}

func (e *Exit) dial(ctx context.Context, to netip.AddrPort) (net.Conn, relaymsg.EndReason) {
	if e.cfg.IsRelayAddr(to) {
		return nil, relaymsg.EndConnectRefused
	}
	conn, err := e.cfg.Env.Net.Dial(ctx, "tcp", to.String())
	if err != nil {
		return nil, edge.ReasonOf(err)
	}
	return conn, 0
}

// addresses returns what is to be tried for a target. If that is nothing, end says why. Whether the client wants the
// family of an address that it names itself does not matter, as in C tor.
func (e *Exit) addresses(ctx context.Context, t target) (addrs []netip.Addr, end relaymsg.End) {
	found := []netip.Addr{t.addr}
	if !t.addr.IsValid() {
		a, err := e.cfg.Resolver.Resolve(ctx, t.host, t.want)
		if err != nil {
			return nil, relaymsg.End{Reason: relaymsg.EndResolveFailed}
		}
		found = a.Addrs
	}
	addrs, refused := pick(found, t, e.policy.Load())
	if len(addrs) == 0 {
		return nil, rejected(refused)
	}
	return addrs, relaymsg.End{}
}

// pick chooses the addresses to try: of each family the first that the policy allows, and of the families first the one
// that the client prefers. Without any, refused is the one that would have been tried. There is at least one address.
func pick(found []netip.Addr, t target, p *policy) (addrs []netip.Addr, refused netip.Addr) {
	first := func(v6, allowed bool) (netip.Addr, bool) {
		for _, a := range found {
			if a.Is6() == v6 && (!allowed || p.allows(a, t.port)) {
				return a, true
			}
		}
		return netip.Addr{}, false
	}
	for _, v6 := range []bool{t.prefer6, !t.prefer6} {
		if a, ok := first(v6, true); ok {
			addrs = append(addrs, a)
		}
		if a, ok := first(v6, false); ok && !refused.IsValid() {
			refused = a
		}
	}
	return addrs, refused
}

// opening is a context that ends when the stream does, or is accepted.
type opening struct{ s *stream.Stream }

func (o opening) Done() <-chan struct{}       { return o.s.Decided() }
func (o opening) Deadline() (time.Time, bool) { return time.Time{}, false }
func (o opening) Value(any) any               { return nil }
func (o opening) Err() error {
	select {
	case <-o.s.Decided():
		return context.Canceled
	default:
		return nil
	}
}
