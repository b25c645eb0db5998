package circmgr

import (
	"context"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Inside is a circuit that does not leave the network, for one user alone, who closes it.
type Inside struct {
	Circ *circuit.Circuit
	Last *netdir.Relay // the third hop

	path []*netdir.Relay
}

const (
	stockSize   = 3         // circuits inside the network to hold ready, once one was asked for
	stockMemory = time.Hour // for so long after that
)

// stock is what there is of circuits inside the network. The owner goroutine has it.
type stock struct {
	ready    []stocked
	building int
	until    time.Time // when nothing is held ready any more
	layer2   vanguard.Set
}

type stocked struct {
	Inside
	opened time.Time
}

// Inside gives out a circuit of three hops whose last one can be a rendezvous point; or, if end is not nil, one of four that
// leads there. Its errors are as those of Exit.
//
//	guard ── second hop, kept for a while ── any relay [── end]
//
// https://spec.torproject.org/vanguards-spec/
func (m *Manager) Inside(ctx context.Context, end *circuit.Hop, stable bool) (Inside, error) {
	var in Inside
	if !m.call(func(now time.Time) {
		m.stock.until = now.Add(stockMemory)
		in = m.stock.take(end, stable)
	}) {
		return Inside{}, ErrClosed
	}
	if in.Circ != nil {
		if end == nil {
			return in, nil
		}
		timed, cancel := context.WithTimeoutCause(ctx, m.cfg.BuildTimeout, ErrBuildTimeout)
		defer cancel()
		if err := in.Circ.Extend(timed, *end); err != nil {
			in.Circ.Close()
			return Inside{}, &BuildError{Err: err, Cause: context.Cause(ctx)}
		}
		return in, nil
	}
	circ, path, err := m.alone(ctx, end, func(v *netdir.View, now time.Time) ([]*netdir.Relay, error) {
		return m.pathInside(v, end, stable, now)
	})
	if err != nil {
		return Inside{}, err
	}
	return Inside{circ, path[2], path}, nil
}

// take finds a circuit that may lead to end, which may be on it as its first hop alone.
func (s *stock) take(end *circuit.Hop, stable bool) Inside {
	for i, c := range s.ready {
		switch {
		case c.Circ.Err() != nil,
			end != nil && slices.ContainsFunc(c.path[1:], func(r *netdir.Relay) bool { return r.RSA == end.RSA }),
			stable && slices.ContainsFunc(c.path, func(r *netdir.Relay) bool { return !r.Flags.Has(consensus.Stable) }):
			continue
		}
		s.ready = slices.Delete(s.ready, i, i+1)
		return c.Inside
	}
	return Inside{}
}

// pathInside picks three hops, the last of which leads to end unless that is nil.
func (m *Manager) pathInside(v *netdir.View, end *circuit.Hop, stable bool, now time.Time) ([]*netdir.Relay, error) {
	need := pathsel.Need{Stable: stable}
	var not []*netdir.Relay
	if end != nil {
		if r := v.ByRSA(end.RSA); r != nil {
			need.Avoid, not = []*netdir.Relay{r}, []*netdir.Relay{r}
		}
	}
	last, err := m.cfg.Select.Rendezvous(v, need, m.cfg.Rand)
	if err != nil {
		return nil, err
	}
	// The guard may be the last hop as well, or end: nobody is to find out who it is by asking who is never chosen there.
	guard, err := m.cfg.Guards.Pick(v, func(r *netdir.Relay) bool { return m.cfg.Select.GuardOK(v, r, nil) })
	if err != nil {
		return nil, err
	}
	among := m.cfg.Select.Layer2()
	if among == nil && (m.cfg.Vanguards == VanguardsOn || m.cfg.Vanguards == VanguardsAuto && vanguard.Enabled(v)) {
		m.stock.layer2.Update(v, now, m.cfg.Select.Layer2OK, m.cfg.Rand)
		among = m.stock.layer2.Has
	}
	second, err := m.cfg.Select.OnionMiddle(v, among, append(not, guard, last), pathsel.Need{}, m.cfg.Rand)
	if err != nil {
		return nil, err
	}
	return []*netdir.Relay{guard, second, last}, nil
}

// restock builds circuits ahead of need.
func (m *Manager) restock(v *netdir.View, now time.Time) {
	if m.cfg.NoPrediction || !now.Before(m.stock.until) {
		return
	}
	for len(m.stock.ready)+m.stock.building < stockSize {
		path, err := m.pathInside(v, nil, true, now)
		if err != nil {
			m.noPath(err, now)
			return
		}
		m.stock.building++
		opts, ctx := circuitOptions(v), m.ctx
		safego.Go(&m.wg, m.log, "circuit build", func() {
			c, err := m.buildAlone(ctx, path, hops(path), opts)
			if !m.do(func(now time.Time) { m.stocked(c, path, err, now) }) && c != nil {
				c.Close()
			}
		})
	}
}

// stocked takes in what restock has built.
func (m *Manager) stocked(c *circuit.Circuit, path []*netdir.Relay, err error, now time.Time) {
	m.stock.building--
	if err != nil {
		m.backoff.failed(now)
		return
	}
	m.backoff.reset()
	m.stock.ready = append(m.stock.ready, stocked{Inside{c, path[2], path}, now})
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
			opts, err = circuitOptions(v), nil
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
