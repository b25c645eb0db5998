package dos

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
)

// DoS is the defence of a relay. Its methods are safe for concurrent use; they neither wait nor start anything.
type DoS struct {
	start  time.Time // what ticks count from
	limits atomic.Pointer[limits]
	table  table
	counts counts

	mu     sync.Mutex // guards the fields below
	cfg    Config
	params params.List
}

// counts are what Stats tells, except for what is in the table.
type counts struct {
	fullQueues, fullOutQueues                        atomic.Uint64
	circuitsRefused, addrsMarked, addrsMarkedByQueue atomic.Uint64
	connsOverMax, connsOverRate, untracked           atomic.Uint64
	streamsRefused, singleHopRefused                 atomic.Uint64
}

// New returns the defence of a relay that has no consensus yet. Times are taken from the same clock as now.
func New(cfg Config, now time.Time) *DoS {
	d := &DoS{start: now.Add(-beforeStart), cfg: cfg}
	d.table.init(cfg.MaxAddrs)
	d.limits.Store(newLimits(&cfg, nil))
	return d
}

// SetParams takes the parameters of a new consensus, which must not change afterwards.
func (d *DoS) SetParams(list params.List) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.params = list
	d.limits.Store(newLimits(&d.cfg, d.params))
}

// SetConfig replaces the configuration, except for MaxAddrs.
func (d *DoS) SetConfig(cfg Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cfg = cfg
	d.limits.Store(newLimits(&d.cfg, d.params))
}

// tick is a moment, in seconds since DoS.start and never 0.
type tick uint32

// beforeStart is how far back a clock that was wrong may be set without ticks ending at their minimum.
const beforeStart = 20 * 365 * 24 * time.Hour

// tick goes by the monotonic clock if d.start and now have it, so that setting the clock neither opens nor locks anything.
func (d *DoS) tick(now time.Time) tick {
	return tick(min(max(int64(now.Sub(d.start)/time.Second), 0), math.MaxUint32-1) + 1)
}

// until returns the end of a mark: a period from now and, so that it cannot be foreseen, up to half of it more.
func until(now tick, period uint32) tick {
	more := 1 + rand.Uint32N(max(period/2, 2)-1)
	return tick(min(uint64(now)+uint64(period)+uint64(more), math.MaxUint32))
}

// A Conn is a connection that counts for its address.
type Conn struct {
	dos    *DoS
	shard  *shard // nil if it does not count
	key    key
	closed atomic.Bool
}

// Connect decides on a connection that was just accepted on an ORPort, before anything is read from it. If ok is false, it
// is to be closed without a word; else Close must be called when it ends. An address that is no IP address, as of a
// unix socket, does not count.
func (d *DoS) Connect(addr netip.Addr, now time.Time) (conn *Conn, ok bool) {
	conn = &Conn{dos: d}
	if !addr.IsValid() {
		return conn, true
	}
	l, t := &d.limits.Load().conns, d.tick(now)
	s, k := d.table.shard(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(t, sweepStep)
	c := s.find(k)
	if c != nil && l.enabled {
		over := false
		switch {
		case c.connMarked >= t:
			d.counts.connsOverRate.Add(1)
			over = true
		case c.conns > l.max:
			d.counts.connsOverMax.Add(1)
			over = true
		}
		if over && l.defense == defenseRefuse {
			return nil, false
		}
	}
	if c == nil {
		if c = s.add(k, t); c == nil {
			d.counts.untracked.Add(1)
			return conn, true
		}
	}
	c.conns++
	c.seen = t
	c.connects.take(t, l.rate)
	// A mark is not made longer while it holds.
	if l.enabled && c.connects.tokens == 0 && c.connMarked < t {
		c.connMarked = until(t, l.period)
	}
	conn.shard, conn.key = s, k
	return conn, true
}

// Close ends a connection. Only the first call does something.
func (c *Conn) Close(now time.Time) {
	if c.shard == nil || c.closed.Swap(true) {
		return
	}
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	known := c.shard.find(c.key) // it is there as long as it has connections
	known.conns--
	known.seen = c.dos.tick(now)
}

// Create decides on a cell CREATE2 or CREATE_FAST from a link that others have made and on which nobody proved to be a relay;
// other links do not ask. If it returns false, the answer is DESTROY with reason RESOURCELIMIT. C tor asks first of all,
// before it looks at the circuit ID.
func (d *DoS) Create(addr netip.Addr, now time.Time) bool {
	l := &d.limits.Load().circuits
	if !l.enabled || !addr.IsValid() {
		return true
	}
	t := d.tick(now)
	s, k := d.table.shard(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(k)
	if c == nil {
		return true
	}
	c.creates.take(t, l.rate)
	// Whoever goes on while marked stays marked for longer.
	if c.creates.tokens == 0 && c.conns >= l.minConns {
		if c.circMarked == 0 {
			d.counts.addrsMarked.Add(1)
		}
		c.circMarked = until(t, l.period)
	}
	if c.circMarked < t {
		return true
	}
	d.counts.circuitsRefused.Add(1)
	return l.defense != defenseRefuse
}

// QueueFull notes that a circuit is closed because one of its queues was full. outward tells that it was the one towards
// the exit (circ_max_cell_queue_size_out instead of circ_max_cell_queue_size); then addr is that of the client, or the
// zero Addr if the circuit does not come from a link as [DoS.Create] has it.
func (d *DoS) QueueFull(addr netip.Addr, outward bool, now time.Time) {
	d.counts.fullQueues.Add(1)
	if !outward {
		return
	}
	d.counts.fullOutQueues.Add(1)
	l := &d.limits.Load().circuits
	if !l.enabled || l.maxOutq == 0 || !addr.IsValid() {
		return
	}
	t := d.tick(now)
	s, k := d.table.shard(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(k)
	if c == nil || c.circMarked >= t {
		return
	}
	if c.fullQueues++; c.fullQueues < l.maxOutq {
		return
	}
	if c.circMarked == 0 {
		d.counts.addrsMarkedByQueue.Add(1)
	}
	c.circMarked, c.fullQueues = until(t, l.period), 0
}

// Action is what happens to a stream.
type Action uint8

// The actions.
const (
	Allow        Action = iota
	RefuseStream        // END with reason MISC for BEGIN, a RESOLVED with a transient error for RESOLVE
	CloseCircuit        // reason RESOURCELIMIT
)

// StreamBucket belongs to a circuit. The zero StreamBucket is ready. It is not safe for concurrent use.
type StreamBucket struct{ bucket bucket }

// Stream decides on a BEGIN or RESOLVE that came on a circuit which ends here. BEGIN_DIR does not ask. A refusal with
// RESOURCELIMIT instead of MISC would make clients avoid the relay.
func (d *DoS) Stream(b *StreamBucket, now time.Time) Action {
	l := &d.limits.Load().streams
	if !l.enabled || b.bucket.take(d.tick(now), l.rate) {
		return Allow
	}
	d.counts.streamsRefused.Add(1)
	switch l.defense {
	case defenseRefuse:
		return RefuseStream
	case defenseClose:
		return CloseCircuit
	}
	return Allow
}

// RefuseRendezvous decides on an ESTABLISH_RENDEZVOUS from a link as [DoS.Create] has it. If it returns true, the cell is
// dropped without an answer, so that the client has to wait for its time-out.
func (d *DoS) RefuseRendezvous() bool {
	if !d.limits.Load().refuseSingleHop {
		return false
	}
	d.counts.singleHopRefused.Add(1)
	return true
}

// Expire forgets all addresses whose time is over, and gives memory back. New connections do so little by little; Expire is
// for the time after a flood, such as at each heartbeat.
func (d *DoS) Expire(now time.Time) {
	t := d.tick(now)
	for i := range d.table.shards {
		s := &d.table.shards[i]
		s.mu.Lock()
		s.sweep(t, len(s.clients))
		s.shrink()
		s.mu.Unlock()
	}
}
