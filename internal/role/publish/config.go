package publish

import (
	"context"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
)

// An Authority is one that descriptors are given to.
type Authority struct {
	Name string
	Dir  []netip.AddrPort // where it takes uploads over HTTP, in the order in which to try
}

// Info is what the operator says of the relay.
type Info struct {
	Nickname, Contact string
	Platform          string // such as "Tor 0.4.9.11 on Linux"
	Protocols         string // what the relay speaks, for the proto line

	Addrs   []netip.Addr // Address lines, looked up; those of the system and what others say if none is of a family
	Bound   []netip.Addr // what ORPorts are bound to, which may be unspecified
	Port    uint16       // of the ORPort over IPv4; 0 if it is not told to anybody
	Port6   uint16
	Private bool // addresses that are not public will do, as in a test network

	Rate, Burst   uint64 // bytes a second, as the operator allows
	MaxAdvertised uint64
	Family        []string // MyFamily
	DirCache      bool
	HSDir         bool

	Publish                bool // PublishServerDescriptor
	AssumeIPv4, AssumeIPv6 bool // publish without a test
}

// Config is what a Publisher needs.
type Config struct {
	Env  env.Env
	Info Info // see SetInfo
	Keys func() *relaykeys.Snapshot
	// Policy is the exit policy, which the relay's own addresses are part of. It is asked for each descriptor.
	Policy      func(own []netip.Addr) exitpolicy.Policy
	Authorities []Authority

	// DummyTAP tells whether the descriptor gets the RSA onion key that nobody uses (publish-dummy-tap-key); yes if nil.
	DummyTAP func() bool
	// Observed is the bandwidth that the relay has shown, in bytes a second; 0 if nil.
	Observed func() uint64
	// Overloaded is when the relay was last overloaded; nil or the zero time if it was not.
	Overloaded func() time.Time
	// ExtraInfo makes an extra-info document, and its digests. Nil makes none.
	ExtraInfo func(nickname string, now time.Time) (*ExtraInfo, error)
	// Ready tells whether the directory is there, without which no test is possible.
	Ready func() bool
	// Listed tells when the descriptor that the consensus lists for the relay was published, the zero time if it lists none.
	// Nil cannot tell.
	Listed func() time.Time

	// Test builds a circuit to the relay itself at one of its addresses. The answer comes by Reached.
	Test func(ctx context.Context, addr netip.AddrPort) error
	// TestBandwidth sends cells to the relay itself, through others.
	TestBandwidth func(ctx context.Context) error
	// Post uploads to one address of an authority; HTTP if nil.
	Post func(ctx context.Context, to netip.AddrPort, body []byte, reason string) (Reply, error)
	// Published is told of each new descriptor, whether or not any authority has it yet.
	Published func(*Documents)
}

// An ExtraInfo is a signed extra-info document.
type ExtraInfo struct {
	Text   []byte
	Digest [20]byte // SHA-1 of what is signed
	SHA256 [32]byte // of the whole text
}

// Documents are what the relay says of itself.
type Documents struct {
	Descriptor  []byte
	Digest      [20]byte // of the descriptor
	ExtraInfo   *ExtraInfo
	OR, OR6     netip.AddrPort // invalid if not told
	Published   time.Time
	Hibernating bool

	reason   string
	observed uint64
	policy   exitpolicy.Policy
}
