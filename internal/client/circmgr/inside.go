package circmgr

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Inside is a circuit that does not leave the network, for one user alone, who closes it.
type Inside struct {
	Circ *circuit.Circuit
	Last *netdir.Relay // the last hop of our choice

	path []*netdir.Relay // without the end that was asked for
}

// InsideNeed is what a circuit inside the network is for.
type InsideNeed struct {
	End    *circuit.Hop // where it is to lead; nil for a rendezvous point, which is chosen
	Own    bool         // it was us who chose End: an introduction point or a directory of a service of ours
	Stable bool
}

const (
	insideTries = 4                // paths to try when relays of our choice fail
	downMemory  = 30 * time.Second // how long others are preferred to a second hop that could not be reached
	stockSize   = 3                // circuits inside the network to hold ready, from the start or once one was asked for
	stockMemory = time.Hour        // for so long after that
	stockDelay  = time.Second      // before what was taken is replaced: whoever took it is to have the relays for himself
)

// stock is what there is of circuits inside the network. The owner goroutine has it.
type stock struct {
	ready    []stocked
	building int
	until    time.Time              // when nothing is held ready any more
	down     map[[20]byte]time.Time // relays for second and third hops that could not be reached, and when
	after    time.Time              // nothing is built before
}

type stocked struct {
	Inside
	opened time.Time
}

// Inside gives out a circuit that ends at need.End, or at a relay that can be a rendezvous point. Its errors are as those of
// Exit.
func (m *Manager) Inside(ctx context.Context, need InsideNeed) (in Inside, err error) {
	for range insideTries {
		var path []*netdir.Relay
		in, path, err = m.inside(ctx, need)
		if err == nil || ctx.Err() != nil || !onTheWay(path, err) {
			break
		}
	}
	return in, err
}

// onTheWay tells whether a circuit has failed at a relay that we have chosen, rather than at its end: another path may do. A relay
// that has just gone is in the directory for some time, and nobody is to think ill of the end for it. Those that take long are
// not tried again, nor are guards: should the network be away, we would try one after the other.
func onTheWay(path []*netdir.Relay, err error) bool {
	e, ok := errors.AsType[*extendError](err)
	return ok && e.hop > 1 && e.hop <= len(path) && !errors.Is(err, ErrBuildTimeout)
}

// inside makes one attempt. It returns the path with an error, too, if it has come to one.
func (m *Manager) inside(ctx context.Context, need InsideNeed) (Inside, []*netdir.Relay, error) {
	var in Inside
	if !m.call(func(now time.Time) {
		m.stock.until = now.Add(stockMemory)
		if now.After(m.stock.after) {
			m.stock.after = now.Add(stockDelay)
		}
		in = m.stock.take(need)
	}) {
		return Inside{}, nil, ErrClosed
	}
	if in.Circ != nil {
		if need.End == nil {
			return in, in.path, nil
		}
		timed, cancel := context.WithTimeoutCause(ctx, m.cfg.BuildTimeout, ErrBuildTimeout)
		defer cancel()
		if err := in.Circ.Extend(timed, *need.End); err != nil {
			in.Circ.Close()
			return Inside{}, in.path, &BuildError{Err: &extendError{len(in.path) + 1, err}, Cause: context.Cause(ctx), AtEnd: true}
		}
		return in, in.path, nil
	}
	circ, path, err := m.alone(ctx, need.End, func(v *netdir.View, now time.Time) ([]*netdir.Relay, error) {
		return m.pathInside(v, need, now)
	})
	if err != nil {
		m.do(func(now time.Time) { m.stock.blame(path, err, now) })
		return Inside{}, path, err
	}
	return Inside{circ, path[len(path)-1], path}, path, nil
}

// blame notes that a relay of a layer could not be reached. Few are in use, and they stay in use for days, gone or not: without
// this, most circuits would fail when most of them are gone. The relay before it may lie; but it could as well let circuits fail
// until the next hop is to its liking.
func (s *stock) blame(path []*netdir.Relay, err error, now time.Time) {
	e, ok := errors.AsType[*extendError](err)
	if !ok || e.hop < 2 || e.hop > len(path) {
		return
	}
	if s.down == nil {
		s.down = map[[20]byte]time.Time{}
	}
	maps.DeleteFunc(s.down, func(_ [20]byte, at time.Time) bool { return now.Sub(at) >= downMemory })
	s.down[path[e.hop-1].RSA] = now
}

// up tells whether a relay has not failed lately.
func (s *stock) up(r *netdir.Relay, now time.Time) bool {
	at, ok := s.down[r.RSA]
	return !ok || now.Sub(at) >= downMemory
}

// take finds a circuit that can go on as is needed.
func (s *stock) take(need InsideNeed) Inside {
	for i, c := range s.ready {
		switch {
		case c.Circ.Err() != nil,
			need.Own && len(c.path) > 3, // it is longer than it has to be
			need.End != nil && slices.ContainsFunc(c.path[len(c.path)-2:], func(r *netdir.Relay) bool { return r.RSA == need.End.RSA }),
			need.Stable && slices.ContainsFunc(c.path, func(r *netdir.Relay) bool { return !r.Flags.Has(consensus.Stable) }):
			continue
		}
		s.ready = slices.Delete(s.ready, i, i+1)
		return c.Inside
	}
	return Inside{}
}

// restock builds circuits ahead of need, and returns how long to wait before it may.
func (m *Manager) restock(v *netdir.View, now time.Time) time.Duration {
	if m.stock.until.IsZero() { // the first circuits to exits come first
		m.stock.until, m.stock.after = now.Add(stockMemory), now.Add(stockDelay)
	}
	if m.cfg.NoPrediction || !now.Before(m.stock.until) || len(m.stock.ready)+m.stock.building >= stockSize {
		return time.Hour
	}
	if wait := m.stock.after.Sub(now); wait > 0 {
		return wait
	}
	for len(m.stock.ready)+m.stock.building < stockSize {
		path, err := m.pathInside(v, InsideNeed{Stable: true}, now)
		if err != nil {
			m.noPath(err, now)
			return time.Hour
		}
		m.stock.building++
		opts, ctx := m.circuitOptions(v), m.ctx
		safego.Go(&m.wg, m.log, "circuit build", func() {
			c, err := m.buildAlone(ctx, path, hops(path), opts)
			if !m.do(func(now time.Time) { m.stocked(c, path, err, now) }) && c != nil {
				c.Close()
			}
		})
	}
	return time.Hour
}

// stocked takes in what restock has built.
func (m *Manager) stocked(c *circuit.Circuit, path []*netdir.Relay, err error, now time.Time) {
	m.stock.building--
	if err != nil {
		m.stock.blame(path, err, now)
		m.backoff.failed(now)
		return
	}
	m.backoff.reset()
	m.stock.ready = append(m.stock.ready, stocked{Inside{c, path[len(path)-1], path}, now})
}

// expireStock closes circuits that nobody has wanted for long, and forgets those that have ended.
func (m *Manager) expireStock(now time.Time) {
	m.stock.ready = slices.DeleteFunc(m.stock.ready, func(c stocked) bool {
		old := now.Sub(c.opened) >= m.available
		if old {
			c.Circ.Close()
		}
		return old || c.Circ.Err() != nil
	})
}

// drop closes all of the stock.
func (s *stock) drop() {
	for _, c := range s.ready {
		c.Circ.Close()
	}
	s.ready = nil
}

// Direct builds a circuit of one hop to h, for the caller alone, who hides nothing. Its errors are as those of Exit.
func (m *Manager) Direct(ctx context.Context, h circuit.Hop) (*circuit.Circuit, error) {
	var opts circuit.Options
	err := ErrNoDirectory
	if !m.call(func(time.Time) {
		if v := m.cfg.Dir.View(); v != nil {
			opts, err = m.circuitOptions(v), nil
		}
	}) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, &BuildError{Err: err}
	}
	first := link.Target{Addrs: h.Addrs, RSA: h.RSA, HasRSA: true, Ed: h.Ed, HasEd: h.HasEd}
	circ, _, err := m.build(ctx, first, []circuit.Hop{h}, opts)
	if err != nil {
		return nil, &BuildError{Err: err, Cause: context.Cause(ctx)}
	}
	return circ, nil
}
