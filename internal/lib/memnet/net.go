// Package memnet is a network in memory, for tests and simulated networks.
//
// A [Net] is a set of hosts with IP addresses; each [Host] is a [netx.Network] of its own, as seen from that machine.
// Connections have latency, bandwidth, bounded buffers, deadlines and half-close, and fail with the errors of the
// operating system. Hosts can be cut off from each other and can crash.
//
// There are no goroutines, and every wait is on a channel or timer made by the goroutine that waits, so that a Net
// works inside a testing/synctest bubble, where its delays cost no time. It must be made in the bubble that uses it.
package memnet

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// A Link describes the way between two hosts, the same for both directions. The zero Link is instant.
type Link struct {
	Latency   time.Duration // one way
	Bandwidth int64         // bytes per second of one direction of one connection; 0 means no limit
	Buffer    int           // bytes of one direction that are sent and not yet read, as a TCP window; 0 means 256 KiB

	// Loss is the share of packets that do not arrive: datagrams are lost, and what a TCP connection carries comes a
	// retransmission later, with all that is behind it.
	Loss float64
}

// retransmit is how much later than a lost packet it is sent again, at least, as Linux has it.
const retransmit = 200 * time.Millisecond

// lost tells whether chance has a packet get lost.
func (l Link) lost() bool { return l.Loss > 0 && rand.Float64() < l.Loss }

// delay is how long a packet is under way on a connection, with all retransmissions, each of which waits twice as long as the
// one before.
func (l Link) delay() time.Duration {
	d := l.Latency
	for wait := max(retransmit, 2*l.Latency); wait < time.Minute && l.lost(); wait *= 2 {
		d += wait
	}
	return d
}

const defaultBuffer = 256 << 10

func (l Link) buffer() int {
	if l.Buffer > 0 {
		return l.Buffer
	}
	return defaultBuffer
}

// A Net is a network of hosts. Its methods are safe for concurrent use.
type Net struct {
	link Link // between hosts for which nothing else was set

	mu      sync.Mutex // guards the fields below; a pipe's lock may be taken under it
	hosts   map[netip.Addr]*Host
	links   map[pair]Link
	cuts    map[pair]bool
	flows   map[*flow]struct{}
	changed signal // a cut was healed
}

// A pair is two hosts in the order of their names.
type pair struct{ a, b *Host }

func pairOf(a, b *Host) pair {
	if b.name < a.name {
		a, b = b, a
	}
	return pair{a, b}
}

// New returns a network without hosts, whose hosts are joined by link.
func New(link Link) *Net {
	return &Net{
		link:  link,
		hosts: make(map[netip.Addr]*Host),
		links: make(map[pair]Link),
		cuts:  make(map[pair]bool),
		flows: make(map[*flow]struct{}),
	}
}

// Host adds a host. Its name tells it from others in failures of tests; its first address of a family is what it dials
// from. Every host also has the loopback addresses. Host panics if the name or an address is taken.
func (n *Net) Host(name string, addrs ...netip.Addr) *Host {
	h := &Host{net: n, name: name, ports: make(map[uint16][]*listener), nextPort: firstPort}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, other := range n.hosts {
		if other.name == name {
			panic(fmt.Sprintf("memnet: host name %s is taken", name))
		}
	}
	for _, a := range addrs {
		a = a.Unmap()
		if n.hosts[a] != nil {
			panic(fmt.Sprintf("memnet: address %v is taken", a))
		}
		h.addrs = append(h.addrs, a)
		n.hosts[a] = h
	}
	return h
}

// SetLink sets the link between two hosts. Open connections keep theirs.
func (n *Net) SetLink(a, b *Host, link Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[pairOf(a, b)] = link
}

// Cut severs two hosts: nothing arrives any more, neither data nor the news that a connection was closed, and dialing
// hangs. Nobody is told.
func (n *Net) Cut(a, b *Host) { n.setCut(a, b, true) }

// Heal joins two hosts again. What was under way when they were cut arrives late, but it arrives.
func (n *Net) Heal(a, b *Host) { n.setCut(a, b, false) }

func (n *Net) setCut(a, b *Host, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := pairOf(a, b)
	n.cuts[p] = cut
	for f := range n.flows {
		if f.hosts == p {
			f.there.setCut(cut)
			f.back.setCut(cut)
		}
	}
	n.changed.broadcast()
}

// Reset breaks all connections between two hosts, as a middlebox does: both ends see "connection reset by peer".
func (n *Net) Reset(a, b *Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for f := range n.flows {
		if f.hosts == pairOf(a, b) {
			f.there.reset()
			f.back.reset()
		}
	}
}

// A signal wakes all who wait for a change of something. The lock that guards the thing guards the signal too.
type signal struct{ ch chan struct{} } // nil if nobody waits

// next returns a channel that is closed at the next change.
func (s *signal) next() <-chan struct{} {
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) broadcast() {
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
