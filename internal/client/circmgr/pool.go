package circmgr

import (
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

// work does all that can be done now and returns how long to wait before looking again. The owner calls it after each
// thing that happened.
func (m *Manager) work(now time.Time) time.Duration {
	next := m.expire(now)
	m.serve(now)
	v := m.cfg.Dir.View()
	if v == nil {
		return next
	}
	if wait := m.backoff.wait(now); wait > 0 {
		return min(next, wait)
	}
	m.launchForWaiting(v, now)
	m.launchAhead(v, now)
	return min(next, m.restock(v, now))
}

// serve gives circuits to the requests that one is open for.
func (m *Manager) serve(now time.Time) {
	rest := m.waiting[:0]
	for _, r := range m.waiting {
		e := m.find(r.need, now)
		if e == nil {
			rest = append(rest, r)
			continue
		}
		if e.dirty.IsZero() || r.need.KeepAlive {
			e.dirty, e.key = now, r.need.Isolation
		}
		r.reply <- outcome{lease: Lease{Tunnel: e.circ.Tunnel(), Exit: e.exit(), Circ: e.id}}
	}
	clear(m.waiting[len(rest):])
	m.waiting = rest
}

// find returns the best open circuit for need: one that its streams use already, else a clean one, the oldest first.
func (m *Manager) find(need Need, now time.Time) *entry {
	var best *entry
	for e := range m.pool {
		if e.circ == nil || !m.suits(e, need, now) {
			continue
		}
		switch {
		case best == nil,
			best.dirty.IsZero() && !e.dirty.IsZero(),
			best.dirty.IsZero() == e.dirty.IsZero() && e.opened.Before(best.opened):
			best = e
		}
	}
	return best
}

// suits tells whether a circuit, open or being built, can serve need.
func (m *Manager) suits(e *entry, need Need, now time.Time) bool {
	if m.retired(e, now) || !e.dirty.IsZero() && e.key != need.Isolation {
		return false
	}
	if e.circ != nil && e.circ.Err() != nil {
		return false
	}
	if need.Stable && !e.need.Stable {
		return false
	}
	return m.cfg.Select.Allows(e.exit(), need.Need)
}

// launchForWaiting starts a build for each waiting request that none is under way for. A build serves one isolation key
// only, so requests with different keys count apart.
func (m *Manager) launchForWaiting(v *netdir.View, now time.Time) {
	var building []*entry
	for e := range m.pool {
		if e.circ == nil {
			building = append(building, e)
		}
	}
	taken := map[*entry]Need{} // builds that are spoken for
	rest := m.waiting[:0]
	for _, r := range m.waiting {
		if m.claim(building, taken, r.need, now) || len(building) >= m.cfg.MaxPending || m.backoff.wait(now) > 0 {
			rest = append(rest, r)
			continue
		}
		e, err := m.launch(v, r.need.Need)
		switch {
		case err == nil:
			building = append(building, e)
			taken[e] = r.need
		case hopeless(err):
			r.reply <- outcome{err: &BuildError{Err: err}}
			continue
		default:
			m.noPath(err, now)
		}
		rest = append(rest, r)
	}
	clear(m.waiting[len(rest):])
	m.waiting = rest
}

// hopeless tells whether no relay will do for a request, whatever is tried: no exit lets its port through, or all that do
// have failed it.
func hopeless(err error) bool {
	var none *pathsel.Error
	return errors.As(err, &none) && (none.Reason == pathsel.Rejected || none.Reason == pathsel.Avoided)
}

// claim finds a build that will serve need, and tells whether there is one.
func (m *Manager) claim(building []*entry, taken map[*entry]Need, need Need, now time.Time) bool {
	for _, e := range building {
		other, ok := taken[e]
		if (!ok || other.Isolation == need.Isolation) && m.suits(e, need, now) {
			taken[e] = need
			return true
		}
	}
	return false
}

func (m *Manager) longLived(port uint16) bool {
	for _, p := range m.cfg.LongLived {
		if p == port {
			return true
		}
	}
	return false
}

const (
	cleanPerPort = 2 // clean circuits to hold ready for each port that is likely to be asked for
	maxClean     = 8 // clean circuits in all, but for those that requests asked for
)

// launchAhead builds circuits for ports that are likely to be asked for.
func (m *Manager) launchAhead(v *netdir.View, now time.Time) {
	if m.cfg.NoPrediction {
		return
	}
	clean := 0
	for e := range m.pool {
		if e.dirty.IsZero() {
			clean++
		}
	}
	for _, port := range m.ports.likely(now) {
		need := pathsel.Need{Port: port, Stable: m.longLived(port)}
		have := 0
		for e := range m.pool {
			if e.dirty.IsZero() && m.suits(e, Need{Need: need}, now) {
				have++
			}
		}
		for ; have < cleanPerPort && clean < maxClean; have++ {
			if _, err := m.launch(v, need); hopeless(err) {
				break // circuits for other ports may be possible
			} else if err != nil {
				m.noPath(err, now)
				return
			}
			clean++
		}
	}
}

// expire closes circuits that are done for, and returns how long it is until the next will be.
func (m *Manager) expire(now time.Time) time.Duration {
	m.expireStock(now)
	next := time.Hour
	for e := range m.pool {
		if e.circ == nil {
			continue
		}
		if e.circ.Err() != nil {
			m.remove(e)
			continue
		}
		left := e.opened.Add(m.available).Sub(now)
		if !e.dirty.IsZero() {
			left = e.dirty.Add(m.cfg.MaxDirtiness).Sub(now)
			if left <= 0 && e.circ.Tunnel().Streams() > 0 {
				left = streamRecheck // nothing tells when its last stream ends
			}
		}
		if left <= 0 {
			m.remove(e)
			continue
		}
		next = min(next, left)
	}
	return next
}

// streamRecheck is how often a circuit that is too old for new streams is looked at while old ones go on.
const streamRecheck = 30 * time.Second

// remove closes a circuit and takes it out of the pool.
func (m *Manager) remove(e *entry) {
	delete(m.pool, e)
	e.circ.Close()
}
