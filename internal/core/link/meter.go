package link

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/tokenbucket"
)

// Limits bound the bytes on the wire, in each direction, TLS and all. A rate is in bytes a second, a burst is what may come
// at once after a while of less. Without a rate there is no limit.
type Limits struct {
	Rate, Burst               int64 // of all connections
	RelayRate, RelayBurst     int64 // of what is passed on for others
	PerConnRate, PerConnBurst int64 // of each link to somebody who is not a relay
	CountPrivate              bool  // links to private addresses are counted and limited too
}

// Traffic is a number of bytes.
type Traffic struct{ Read, Written uint64 }

// traffic is Traffic that is being counted.
type traffic [2]atomic.Uint64

func (t *traffic) get() Traffic { return Traffic{t[reading].Load(), t[writing].Load()} }

// direction is that of bytes at this end.
type direction uint8

const (
	reading direction = iota
	writing
)

// rates are the limits and counts of all connections of a registry.
type rates struct {
	private atomic.Bool // links to private addresses are counted too
	all     [2]tokenbucket.Limiter
	relayed [2]tokenbucket.Limiter
	total   [2]traffic // of IPv4 and IPv6

	mu     sync.Mutex // guards limits
	limits Limits
}

func (r *rates) set(l Limits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits = l
	r.private.Store(l.CountPrivate)
	for d := range r.all {
		r.all[d].Set(l.Rate, l.Burst)
		r.relayed[d].Set(l.RelayRate, l.RelayBurst)
	}
}

// limit sets the limits that are for the connection of m alone: none for that of a relay.
func (r *rates) limit(m *meter, relay bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rate, burst := r.limits.PerConnRate, r.limits.PerConnBurst
	if relay {
		rate, burst = 0, 0
	}
	for d := range m.own {
		m.own[d].Set(rate, burst)
	}
}

// clientIdle is how long a link counts as this node's own after it has carried something for it.
const clientIdle = 30 * time.Second

// Class says what a connection carries, and so which limits apply besides that of all connections.
type Class uint8

// The classes.
const (
	Own     Class = iota // what this node does for itself, and what exits get from servers
	Relayed              // what is passed on or served to others, for as long as the link carries nothing of this node's own
)

// A meter counts what goes through a connection, and says when more may. Reads keep to the limits. Writes do not: whoever
// writes waits by settle before the next one, since what to send is not to be decided before it can be sent.
type meter struct {
	net.Conn
	rates   *rates
	class   Class
	family  uint8 // of rates.total
	private bool  // the peer's address is
	bytes   traffic
	own     [2]tokenbucket.Limiter // of this connection alone
	owed    [2]atomic.Int64        // bytes that have not been paid for
	opened  time.Time
	client  atomic.Int64 // when it last carried something of this node's own, after opened; 0 for never

	stopOnce sync.Once
	stopped  chan struct{} // closed when nobody is to wait any more
}

func newMeter(c net.Conn, r *rates, class Class) *meter {
	addr := netx.RemoteAddr(c).Addr()
	m := &meter{Conn: c, rates: r, class: class, private: inet.IsInternal(addr), opened: time.Now(), stopped: make(chan struct{})}
	if addr.Is6() {
		m.family = 1
	}
	return m
}

// counted tells whether the connection is one that limits and totals are about.
func (m *meter) counted() bool { return !m.private || m.rates.private.Load() }

// note counts n bytes.
func (m *meter) note(d direction, n int) {
	if n <= 0 {
		return
	}
	m.bytes[d].Add(uint64(n))
	if m.counted() {
		m.rates.total[m.family][d].Add(uint64(n))
		m.owed[d].Add(int64(n))
	}
}

// used notes that the link carries something of this node's own.
func (m *meter) used() { m.client.Store(max(int64(time.Since(m.opened)), 1)) }

// relayed tells whether the connection counts as one that carries what is of others.
func (m *meter) relayed() bool {
	at := m.client.Load()
	return m.class == Relayed && (at == 0 || time.Since(m.opened)-time.Duration(at) > clientIdle)
}

// limiters returns those that apply; nil ones do not.
func (m *meter) limiters(d direction) (l [3]*tokenbucket.Limiter) {
	l[0] = &m.own[d]
	if m.rates.relayed[d].Share() != 0 && m.relayed() {
		l[1] = &m.rates.relayed[d]
	}
	l[2] = &m.rates.all[d]
	return l
}

// settle waits until what has gone through is paid for, and returns how many bytes may go through next so that all
// connections get their turns. An error says that this one is being closed.
func (m *meter) settle(d direction) (share int, err error) {
	share = ioBufLen
	if !m.counted() {
		return share, nil
	}
	owed := int(m.owed[d].Swap(0))
	for _, l := range m.limiters(d) {
		if s := l.Share(); s != 0 {
			share = min(share, s)
		}
		if !l.Wait(m.stopped, owed) {
			return 0, net.ErrClosed
		}
	}
	return share, nil
}

func (m *meter) Read(p []byte) (int, error) {
	share, err := m.settle(reading)
	if err != nil {
		return 0, err
	}
	n, err := m.Conn.Read(p[:min(len(p), share)])
	m.note(reading, n)
	return n, err
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.note(writing, n)
	return n, err
}

// WaitReadable implements netx.ReadWaiter.
func (m *meter) WaitReadable() error {
	if w, ok := m.Conn.(netx.ReadWaiter); ok {
		return w.WaitReadable()
	}
	return nil
}

// SetDeadline ends waiting for the limits as well if t has passed.
func (m *meter) SetDeadline(t time.Time) error {
	if !t.IsZero() && time.Until(t) <= 0 {
		m.stop()
	}
	return m.Conn.SetDeadline(t)
}

func (m *meter) Close() error {
	m.stop()
	return m.Conn.Close()
}

func (m *meter) stop() { m.stopOnce.Do(func() { close(m.stopped) }) }
