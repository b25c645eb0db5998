package publish

import (
	"context"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// An Authority is one that descriptors are given to.
type Authority struct {
	Name string
	Dir  []netip.AddrPort // where it takes uploads over HTTP, in the order in which to try
	// Post uploads to one that has no Dir, such as through a circuit; it may be nil.
	Post func(ctx context.Context, body []byte, reason string) (Reply, error)
}

// Info is what the operator says of the relay.
type Info struct {
	Nickname, Contact string
	Platform          string // such as "Tor 0.4.9.11 on Linux"; authorities parse the version
	Protocols         string // what the relay speaks, for the proto line, and nothing else: others rely on it

	Addrs   []netip.Addr // Address lines
	Names   []string     // Address lines that are names: see Config.Lookup
	Bound   []netip.Addr // what ORPorts are bound to, which may be unspecified
	Port    uint16       // of the ORPort over IPv4; 0 if it is not told to anybody
	Port6   uint16
	Private bool // addresses that are not public will do, as in a test network, where everything is quicker, too

	Rate, Burst   uint64 // bytes a second, as the operator allows
	MaxAdvertised uint64 // 0 is no limit
	// AccountingRate is what AccountingMax leaves in each direction, in bytes a second on average; 0 if there is no such
	// limit, or if it is for what comes in only (AccountingRule in).
	AccountingRate uint64
	Family         []string // MyFamily
	DirCache       bool     // the descriptor says so unless bandwidth is scarce
	HSDir          bool

	Publish                bool // PublishServerDescriptor
	AssumeIPv4, AssumeIPv6 bool // publish without a test
}

// Network is what the directory says.
type Network struct {
	Live       bool      // there is a consensus that is valid now
	ValidAfter time.Time // of that
	Listed     bool      // this relay is in it
	Stale      bool      // with the flag StaleDesc
	Params     params.List
}

// The consensus parameters. https://spec.torproject.org/param-spec.html
var (
	assumeReachable     = params.Param{Name: "assume-reachable", Default: 0, Min: 0, Max: 1}
	assumeReachableIPv6 = params.Param{Name: "assume-reachable-ipv6", Default: 0, Min: 0, Max: 1}
)

// Config is what a Publisher needs. Those of its functions that take no context must not block, and none may wait for the
// publisher.
type Config struct {
	Env  env.Env
	Info Info // see SetInfo
	Keys func() *relaykeys.Snapshot
	// Policy is the exit policy, which the relay's own addresses are part of. It is asked for each descriptor. Nil rejects all.
	Policy      func(own []netip.Addr) exitpolicy.Policy
	Authorities []Authority
	Events      *event.Bus // gets Checking, Reachable and the like; may be nil

	// Network tells what the directory says. If it is nil, Listed and DummyTAP are asked.
	Network func(now time.Time) Network
	// DummyTAP tells whether the descriptor gets the RSA onion key that nobody uses (publish-dummy-tap-key); yes if nil.
	DummyTAP func() bool
	// Listed tells when the descriptor that the consensus lists for the relay was published, the zero time if it lists none.
	// Nil cannot tell.
	Listed func() time.Time
	// Skewed tells whether our clock is known to be wrong. Nothing is published, then. Nil cannot tell.
	Skewed func() bool
	// Observed is the bandwidth that the relay has shown, in bytes a second; 0 if nil.
	Observed func() uint64
	// Overloaded is when the relay was last overloaded; nil or the zero time if it was not.
	Overloaded func() time.Time
	// ExtraInfo makes an extra-info document, and its digests. Nil makes none.
	ExtraInfo func(nickname string, now time.Time) (*ExtraInfo, error)
	// Ready tells whether the directory is there, without which no test is possible.
	Ready func() bool

	// Lookup finds the addresses of a name of the operator's: of an Address line, or of this machine. Nil finds none.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Interfaces lists the addresses of this machine; those that the system tells if nil.
	Interfaces func() ([]netip.Addr, error)
	// Learn connects to an authority, which tells how it sees us (see Suggest). It is called while no address is known; nil
	// waits for that to happen by chance.
	Learn func(ctx context.Context) error

	// Test builds a circuit to the relay itself at one of its addresses. The answer comes by Incoming.
	Test func(ctx context.Context, addr netip.AddrPort) error
	// TestBandwidth sends cells to the relay itself, through others.
	TestBandwidth func(ctx context.Context) error
	// Post uploads to one address of an authority; HTTP if nil.
	Post func(ctx context.Context, to netip.AddrPort, body []byte, reason string) (Reply, error)
	// Published is told of each new descriptor, whether or not any authority has it yet.
	Published func(*Documents)
}

func (c Config) withDefaults() Config {
	if c.DummyTAP == nil {
		c.DummyTAP = func() bool { return true }
	}
	if c.Skewed == nil {
		c.Skewed = func() bool { return false }
	}
	if c.Observed == nil {
		c.Observed = func() uint64 { return 0 }
	}
	if c.Overloaded == nil {
		c.Overloaded = func() time.Time { return time.Time{} }
	}
	if c.Ready == nil {
		c.Ready = func() bool { return true }
	}
	if c.Policy == nil {
		c.Policy = func([]netip.Addr) exitpolicy.Policy { return exitpolicy.Own(exitpolicy.Config{}) }
	}
	if c.Interfaces == nil {
		c.Interfaces = systemAddrs
	}
	if c.Network == nil {
		c.Network = c.listed
	}
	return c
}

// listed is what Listed and DummyTAP know of the network.
func (c Config) listed(now time.Time) (n Network) {
	if c.Listed != nil && c.Ready() {
		n.Live, n.Listed = true, !c.Listed().IsZero()
	}
	if !c.DummyTAP() {
		n.Params = params.List{{Name: params.PublishDummyTAP.Name}}
	}
	return n
}

// An ExtraInfo is a signed extra-info document.
type ExtraInfo struct {
	Text   []byte
	Digest [20]byte // SHA-1 of what is signed
	SHA256 [32]byte // of the whole text
}

// Documents are what the relay says of itself. They do not change.
type Documents struct {
	Descriptor  []byte
	Digest      [20]byte // of the descriptor
	ExtraInfo   *ExtraInfo
	OR, OR6     netip.AddrPort // invalid if not told
	Published   time.Time
	Hibernating bool

	reason string // what it was made for
	facts  facts
	policy exitpolicy.Policy
}
