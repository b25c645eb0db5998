package dos

import (
	"hash/maphash"
	"net/netip"
	"sync"
)

const (
	defaultMaxAddrs = 1 << 18
	shardCount      = 64      // locks
	keepIdle        = 60 * 60 // seconds that an idle address is remembered
	sweepStep       = 4       // addresses that a new connection looks at for forgetting
	evictStep       = 32      // addresses that a full shard looks at to make room
)

// key is an address of either family.
type key [16]byte

// client is what is known of an address. It has no pointers, so that a full table costs the garbage collector nothing.
type client struct {
	key        key
	conns      uint32 // that are open
	connects   bucket
	creates    bucket
	fullQueues uint32 // circuits closed because of a full queue, since it was marked

	// Until when it is marked; 0 for never. A mark of circuits stays when it is over, so that addresses are counted once.
	connMarked, circMarked tick

	seen tick // when a connection began or ended
}

func (c *client) marked(now tick) bool { return c.connMarked >= now || c.circMarked >= now }

// idle tells whether it may be forgotten.
func (c *client) idle(now tick) bool {
	return c.conns == 0 && !c.marked(now) && now > c.seen && now-c.seen > keepIdle
}

// A table holds clients, in shards so that links seldom wait for each other. The seed keeps others from choosing
// addresses that fall into one shard.
type table struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu sync.Mutex // guards the fields below, and the clients

	index   map[key]int32 // into clients
	clients []client
	hand    int // the client to look at next for forgetting
	max     int // clients
	evicted uint64
}

func (t *table) init(maxAddrs int) {
	t.seed = maphash.MakeSeed()
	if maxAddrs <= 0 {
		maxAddrs = defaultMaxAddrs
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.index, s.max = map[key]int32{}, max(maxAddrs/shardCount, 1)
	}
}

// shard returns where an address belongs. Addresses of IPv4 are the same in their IPv6 form; zones do not count.
func (t *table) shard(addr netip.Addr) (*shard, key) {
	k := key(addr.As16())
	return &t.shards[maphash.Bytes(t.seed, k[:])%shardCount], k
}

// find returns a client, or nil. It is valid until the shard is unlocked, a client added or one forgotten.
func (s *shard) find(k key) *client {
	i, ok := s.index[k]
	if !ok {
		return nil
	}
	return &s.clients[i]
}

// add adds a client that is not there, and returns nil if there is no room.
func (s *shard) add(k key, now tick) *client {
	if len(s.clients) >= s.max && !s.evict(now) {
		return nil
	}
	s.index[k] = int32(len(s.clients))
	s.clients = append(s.clients, client{key: k})
	return &s.clients[len(s.clients)-1]
}

// remove forgets a client. The last one takes its place.
func (s *shard) remove(i int) {
	delete(s.index, s.clients[i].key)
	last := len(s.clients) - 1
	if i != last {
		s.clients[i] = s.clients[last]
		s.index[s.clients[i].key] = int32(i)
	}
	s.clients[last] = client{} // an address is not kept for longer than needed
	s.clients = s.clients[:last]
}

// sweep looks at the next n clients, and forgets those that are idle.
func (s *shard) sweep(now tick, n int) {
	for range min(n, len(s.clients)) {
		if s.hand >= len(s.clients) {
			s.hand = 0
		}
		if s.clients[s.hand].idle(now) {
			s.remove(s.hand)
		} else {
			s.hand++
		}
	}
}

// evict makes room: of the next clients without connections it forgets the one seen longest ago, an unmarked one
// if there is any.
func (s *shard) evict(now tick) bool {
	best, bestMarked := -1, false
	for range min(evictStep, len(s.clients)) {
		if s.hand >= len(s.clients) {
			s.hand = 0
		}
		c := &s.clients[s.hand]
		marked := c.marked(now)
		if c.conns == 0 && (best < 0 || bestMarked && !marked || bestMarked == marked && c.seen < s.clients[best].seen) {
			best, bestMarked = s.hand, marked
		}
		s.hand++
	}
	if best < 0 {
		return false
	}
	s.remove(best)
	s.evicted++
	return true
}

// shrink gives memory back after a flood.
func (s *shard) shrink() {
	if cap(s.clients) < 64 || len(s.clients) > cap(s.clients)/4 {
		return
	}
	s.clients = append([]client(nil), s.clients...)
	s.index = make(map[key]int32, len(s.clients))
	for i := range s.clients {
		s.index[s.clients[i].key] = int32(i)
	}
}
