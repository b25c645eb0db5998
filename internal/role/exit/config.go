package exit

import (
	"context"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
)

// Resolver looks names up. [resolver.Resolver] implements it.
type Resolver interface {
	Resolve(ctx context.Context, host string, want resolver.Want) (resolver.Answer, error)
	Reverse(ctx context.Context, addr netip.Addr) (names []string, ttl time.Duration, err error)
}

// Verdict is what to do with a new stream.
type Verdict uint8

// The verdicts.
const (
	Allow        Verdict = iota
	RefuseStream         // END with MISC, or a transient error of RESOLVED
	CloseCircuit         // DESTROY with RESOURCELIMIT
)

// Config is what an Exit needs. Its functions are called by readers of links among others, so they must not block; nil
// ones have no objection.
type Config struct {
	Env      env.Env           // its Net is what servers are dialed by; netx.OS has OutboundBindAddressExit
	Resolver Resolver          // not asked while the policy rejects everything
	Policy   exitpolicy.Policy // see SetPolicy; an empty one rejects everything

	// KnownRelay tells whether a relay is in the consensus, or was lately. Circuits that come from others get no BEGIN
	// (RefuseUnknownExits, refuseunknownexits). Those that come from a client never do.
	KnownRelay func(link.Peer) bool

	// IsRelayAddr tells whether a relay listens there, so that the stream would lead back into the network
	// (allow-network-reentry 0). See RelayAddrs.
	IsRelayAddr func(netip.AddrPort) bool

	MayStream   func(*circuit.RelayCircuit) Verdict // DoSStream: asked for each BEGIN and RESOLVE
	Hibernating func() bool                         // no BEGIN, then
	Note        func(Event)                         // for statistics

	ConnectTimeout time.Duration // for all addresses of a BEGIN together; 60 s if zero, where C tor leaves it to the system

	// MaxStreams bounds the streams that are there, each with a socket at most and two goroutines; 30000 if zero. It should
	// be what the limit of open files leaves. MaxWaiting bounds those that wait for a name or a connection, each with 16 KiB
	// or so; 8192. MaxWaitingCircuit is how many of them one circuit may have, so that a single client that connects to
	// where nobody answers does not take all; 512.
	MaxStreams, MaxWaiting, MaxWaitingCircuit int
}

func (c Config) withDefaults() Config {
	if c.KnownRelay == nil {
		c.KnownRelay = func(link.Peer) bool { return true }
	}
	if c.IsRelayAddr == nil {
		c.IsRelayAddr = func(netip.AddrPort) bool { return false }
	}
	if c.MayStream == nil {
		c.MayStream = func(*circuit.RelayCircuit) Verdict { return Allow }
	}
	if c.Hibernating == nil {
		c.Hibernating = func() bool { return false }
	}
	if c.Note == nil {
		c.Note = func(Event) {}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = time.Minute
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 30_000
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 8192
	}
	if c.MaxWaitingCircuit == 0 {
		c.MaxWaitingCircuit = 512
	}
	return c
}
