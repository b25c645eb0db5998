package circmgr

import (
	"context"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

// To builds a circuit of three hops that ends at h, which need not be in the directory, for the caller alone: no stream of
// others gets it, and the caller closes it. Its errors are as those of Exit.
func (m *Manager) To(ctx context.Context, h circuit.Hop) (*circuit.Circuit, error) {
	type choice struct {
		path []*netdir.Relay
		opts circuit.Options
		err  error
	}
	chosen := make(chan choice, 1)
	if !m.do(func(time.Time) {
		v := m.cfg.Dir.View()
		if v == nil {
			chosen <- choice{err: ErrNoDirectory}
			return
		}
		path, err := m.pathTo(v, h)
		chosen <- choice{path, circuitOptions(v), err}
	}) {
		return nil, ErrClosed
	}
	c := <-chosen
	if c.err != nil {
		return nil, &BuildError{Err: c.err}
	}
	list := []circuit.Hop{hop(c.path[0]), hop(c.path[1]), h}
	circ, atGuard, err := m.build(ctx, target(c.path[0]), list, c.opts)
	m.do(func(time.Time) {
		switch {
		case !atGuard:
			m.cfg.Guards.Succeeded(c.path[0])
		case ctx.Err() == nil:
			m.cfg.Guards.Failed(c.path[0])
		}
	})
	if err != nil {
		return nil, &BuildError{Err: err, Cause: context.Cause(ctx)}
	}
	return circ, nil
}

// pathTo picks guard and middle before a hop.
func (m *Manager) pathTo(v *netdir.View, h circuit.Hop) ([]*netdir.Relay, error) {
	var used []*netdir.Relay
	end := v.ByRSA(h.RSA)
	if end != nil {
		used = append(used, end)
	}
	guard, err := m.cfg.Guards.Pick(v, func(r *netdir.Relay) bool { return m.cfg.Select.GuardOK(v, r, end) })
	if err != nil {
		return nil, err
	}
	middle, err := m.cfg.Select.Middle(v, append(used, guard), pathsel.Need{}, m.cfg.Rand)
	if err != nil {
		return nil, err
	}
	return []*netdir.Relay{guard, middle}, nil
}
