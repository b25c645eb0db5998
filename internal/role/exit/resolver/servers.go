package resolver

import (
	"net/netip"
	"sync"
	"time"
)

// When a server counts as down, and when it is tried again; as in C tor and libevent.
const (
	maxFailures   = 10 // in a row; one more, and the server is down
	firstProbe    = 10 * time.Second
	probeBackoff  = 3
	maxProbeDelay = time.Hour
)

// A serverSet is the servers of one resolv.conf. Its methods are safe for concurrent use.
//
//	up → down → up
//
// A server goes down by failures in a row, and comes up by any answer. The only server there is never goes down, since
// there is nothing to use instead.
type serverSet struct {
	conf *resolvConf

	mu      sync.Mutex // guards the fields below, and those of each server but for addr. A leaf
	servers []*server
	turn    int
	good    int // servers that are up
}

type server struct {
	addr     netip.AddrPort
	failures int // in a row
	down     bool
	probes   int // that failed since it is down
	probeAt  time.Time
}

func newServerSet(conf *resolvConf) *serverSet {
	set := &serverSet{conf: conf, good: len(conf.servers)}
	for _, addr := range conf.servers {
		set.servers = append(set.servers, &server{addr: addr})
	}
	return set
}

// order returns the servers in the order in which a look-up is to try them. Those that are up take turns to be the first;
// if none is, all are worth a try.
func (set *serverSet) order() []*server {
	set.mu.Lock()
	defer set.mu.Unlock()
	n := len(set.servers)
	order := make([]*server, 0, n)
	for i := range n {
		s := set.servers[(set.turn+i)%n]
		if !s.down || set.good == 0 {
			order = append(order, s)
		}
	}
	if n > 0 {
		set.turn = (set.turn + 1) % n
	}
	return order
}

// A change is what became of a server, or of all.
type change uint8

const (
	noChange change = iota
	isDown
	isDownAsAll // it was the last that was up
	isUp
	isUpAsFirst // none was up before
)

// answered notes that a server works.
func (set *serverSet) answered(s *server) change {
	set.mu.Lock()
	defer set.mu.Unlock()
	s.failures = 0
	if !s.down {
		return noChange
	}
	s.down, s.probes = false, 0
	if set.good++; set.good == 1 {
		return isUpAsFirst
	}
	return isUp
}

// failed notes that a server did not answer, or said that it does not work.
func (set *serverSet) failed(s *server, now time.Time) change {
	set.mu.Lock()
	defer set.mu.Unlock()
	if s.failures++; s.down || s.failures <= maxFailures || len(set.servers) == 1 {
		return noChange
	}
	s.down, s.probeAt = true, now.Add(firstProbe)
	if set.good--; set.good == 0 {
		return isDownAsAll
	}
	return isDown
}

// probeFailed puts off the next probe of a server.
func (set *serverSet) probeFailed(s *server, now time.Time) {
	set.mu.Lock()
	defer set.mu.Unlock()
	s.probes++
	delay := firstProbe
	for range s.probes {
		if delay *= probeBackoff; delay >= maxProbeDelay {
			delay = maxProbeDelay
			break
		}
	}
	s.probeAt = now.Add(delay)
}

// nextProbe returns the server that is to be probed first, and when; nil if all are up.
func (set *serverSet) nextProbe() (*server, time.Time) {
	set.mu.Lock()
	defer set.mu.Unlock()
	var first *server
	for _, s := range set.servers {
		if s.down && (first == nil || s.probeAt.Before(first.probeAt)) {
			first = s
		}
	}
	if first == nil {
		return nil, time.Time{}
	}
	return first, first.probeAt
}

// up returns how many servers are up.
func (set *serverSet) up() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.good
}
