package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/role/dos"
	"github.com/tropea-net/tropea/internal/role/exit"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/role/intropoint"
	"github.com/tropea-net/tropea/internal/role/rendpoint"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Exit is how streams leave the network. The zero Exit lets none.
type Exit struct {
	Policy        exitpolicy.Config // the relay's own addresses are added
	Reevaluate    bool              // a new policy closes streams that it does not allow
	RefuseUnknown torrc.AutoBool    // relays that are not in the consensus; auto is what that says
	Net           netx.Network      // what servers and nameservers are reached by; that of Env if nil
	DNS           resolver.Config   // without Env
	RelayAddrs    []netip.AddrPort  // of relays that are in no consensus, such as fallback directories
	MaxStreams    int
}

// meteredNet dials connections whose bytes count.
type meteredNet struct {
	netx.Network
	s *Server
}

func (m meteredNet) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if m.s.gate.shut.Load() {
		return nil, errDormant
	}
	c, err := m.Network.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return m.s.links.Metered(c, link.Own), nil
}

// DialPacket implements netx.PacketNetwork.
func (m meteredNet) DialPacket(ctx context.Context, network, addr string) (net.Conn, error) {
	p, ok := m.Network.(netx.PacketNetwork)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return p.DialPacket(ctx, network, addr)
}

// ends serves what comes to the end of circuits. It is a relay.Ends.
type ends struct {
	*exit.Exit
	resolver *resolver.Resolver
	intro    *intropoint.Points
	rend     *rendpoint.Points
	dos      *dos.DoS
	env      env.Env
	cfg      atomic.Pointer[Exit]
	over     func(*circuit.RelayCircuit) // told of each circuit that is over

	changed chan struct{} // holds a token when cfg has changed

	view   atomic.Pointer[netdir.View]
	relays atomic.Pointer[exit.RelayAddrs] // nil lets streams lead back into the network

	mu      sync.Mutex // a leaf; guards buckets
	buckets map[*circuit.RelayCircuit]*dos.StreamBucket
}

func newEnds(e env.Env, cfg Exit, d *dos.DoS, hibernating func() bool, note func(exit.Event), over func(*circuit.RelayCircuit)) *ends {
	if cfg.Net != nil {
		e.Net = cfg.Net
	}
	s := &ends{over: over, dos: d, env: e, changed: make(chan struct{}, 1), buckets: map[*circuit.RelayCircuit]*dos.StreamBucket{}}
	s.intro = intropoint.New()
	s.rend = rendpoint.New(rendpoint.Config{Refuse: d.RefuseRendezvous})
	s.cfg.Store(&cfg)
	cfg.DNS.Env = e
	s.resolver = resolver.New(cfg.DNS)
	s.relays.Store(exit.NewRelayAddrs(nil, cfg.RelayAddrs...))
	s.Exit = exit.New(exit.Config{
		Env: e, Resolver: s.resolver, Policy: exitpolicy.Own(cfg.Policy), MaxStreams: cfg.MaxStreams,
		KnownRelay:  s.knownRelay,
		IsRelayAddr: func(a netip.AddrPort) bool { return s.relays.Load().Contains(a) },
		MayStream:   s.mayStream, Hibernating: hibernating, Note: note,
	})
	return s
}

// exits tells whether any stream may leave here.
func (s *ends) exits() bool {
	p := exitpolicy.Own(s.cfg.Load().Policy)
	return !p.RejectsAll(false, true) || !p.RejectsAll(true, true)
}

// setPolicy takes over the operator's policy, and adds the addresses of the relay.
func (s *ends) setPolicy(cfg Exit, own []netip.Addr) exitpolicy.Policy {
	s.cfg.Store(&cfg)
	rules := cfg.Policy
	rules.RejectAddrs = slices.Concat(rules.RejectAddrs, own)
	p := exitpolicy.Own(rules)
	s.SetPolicy(p)
	if cfg.Reevaluate {
		s.Reevaluate()
	}
	return p
}

// apply takes over a consensus.
func (s *ends) apply(v *netdir.View) {
	s.view.Store(v)
	p := v.Consensus().Params
	s.intro.SetParams(p)
	if p.Of(params.AllowNetworkReentry) != 0 {
		s.relays.Store(nil)
	} else {
		s.relays.Store(exit.NewRelayAddrs(v, s.cfg.Load().RelayAddrs...))
	}
	s.resolver.SetLimits(time.Duration(p.Of(params.ExitDNSTimeout))*time.Millisecond, int(p.Of(params.ExitDNSAttempts)))
}

// refusesUnknown tells whether streams may come from relays in the consensus alone.
func (s *ends) refusesUnknown() bool {
	v := s.view.Load()
	return s.cfg.Load().RefuseUnknown.Or(v == nil || v.Consensus().Params.Of(params.RefuseUnknownExits) != 0)
}

// knownRelay tells whether streams may come from a relay.
func (s *ends) knownRelay(p link.Peer) bool {
	if !s.refusesUnknown() {
		return true
	}
	v := s.view.Load()
	return v != nil && v.ByRSA(p.RSA) != nil
}

// mayStream is the defence against too many streams of a circuit.
func (s *ends) mayStream(c *circuit.RelayCircuit) exit.Verdict {
	switch s.dos.Stream(s.bucket(c), s.env.Now()) {
	case dos.RefuseStream:
		return exit.RefuseStream
	case dos.CloseCircuit:
		return exit.CloseCircuit
	}
	return exit.Allow
}

// bucket returns what a circuit has left. The reader of its link alone uses it.
func (s *ends) bucket(c *circuit.RelayCircuit) *dos.StreamBucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[c]
	if b == nil {
		b = new(dos.StreamBucket)
		if !c.Closed() { // else nobody would take it out again: Closed below waits for mu
			s.buckets[c] = b
		}
	}
	return b
}

// Stream implements relay.Ends.
func (s *ends) Stream(c *circuit.RelayCircuit, in stream.Incoming) { s.Exit.Stream(c, in) }

// Receive implements relay.Ends.
func (s *ends) Receive(c *circuit.RelayCircuit, m relaymsg.Msg) error {
	switch m.Cmd {
	case relaymsg.CmdEstablishIntro, relaymsg.CmdIntroduce1, relaymsg.CmdIntroduce2, relaymsg.CmdIntroEstablished, relaymsg.CmdIntroduceAck:
		return s.intro.Receive(c, m)
	case relaymsg.CmdEstablishRendezvous, relaymsg.CmdRendezvous1, relaymsg.CmdRendezvous2, relaymsg.CmdRendezvousEstablished:
		return s.rend.Receive(c, m)
	}
	return s.Exit.Receive(c, m)
}

// Closed implements relay.Ends.
func (s *ends) Closed(c *circuit.RelayCircuit) {
	s.mu.Lock()
	delete(s.buckets, c)
	s.mu.Unlock()
	s.over(c)
	s.intro.Closed(c)
	s.rend.Closed(c)
	if p := c.Prev().Peer(); c.Overflowed() && !p.Relay && !c.Prev().Initiated() {
		s.dos.QueueFull(p.Addr.Addr(), true, s.env.Now())
	}
	s.Exit.Closed(c)
}

// reconfigure takes over the operator's settings. Those of look-ups stay.
func (s *ends) reconfigure(cfg Exit, own []netip.Addr) {
	s.setPolicy(cfg, own)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// run serves streams, and looks names up from when there is a use for that, until ctx ends.
func (s *ends) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	safego.Go(&wg, s.env.Log, "exit", func() { cancel(s.Run(ctx)) })
	for names := false; ; {
		if s.exits() {
			// It may be another resolv.conf now.
			if err := s.resolver.Reload(); err != nil {
				return err
			}
			if !names {
				names = true
				safego.Go(&wg, s.env.Log, "resolver", func() { s.resolver.Run(ctx) })
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.changed:
		}
	}
}
