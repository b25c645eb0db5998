package circmgr

import (
	"context"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/netstate/guard"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

// To builds a circuit of three hops that ends at h, which need not be in the directory, for the caller alone: no stream of
// others gets it, and the caller closes it. Its errors are as those of Exit.
func (m *Manager) To(ctx context.Context, h circuit.Hop) (*circuit.Circuit, error) {
	circ, _, err := m.alone(ctx, &h, func(v *netdir.View, _ time.Time) ([]*netdir.Relay, error) { return m.pathTo(v, h) })
	return circ, err
}

// guardRecheck is how often to look whether the guards do not wait for a microdescriptor any more, if nothing else tells.
const guardRecheck = 30 * time.Second

// alone builds a circuit along the path that choose has chosen, and on to end unless that is nil. The owner calls choose. While
// the microdescriptor of our guard is still to come, which takes seconds after a new consensus, it waits for that. The path is
// returned with an error, too, if there was one.
func (m *Manager) alone(ctx context.Context, end *circuit.Hop, choose func(*netdir.View, time.Time) ([]*netdir.Relay, error)) (*circuit.Circuit, []*netdir.Relay, error) {
	var path []*netdir.Relay
	var opts circuit.Options
	for {
		changed := m.cfg.Dir.Changed()
		err := ErrNoDirectory
		if !m.call(func(now time.Time) {
			if v := m.cfg.Dir.View(); v != nil {
				opts = m.circuitOptions(v)
				path, err = choose(v, now)
			}
		}) {
			return nil, nil, ErrClosed
		}
		if err == nil {
			break
		}
		if e, ok := errors.AsType[*guard.Error](err); !ok || e.Reason != guard.Undescribed {
			return nil, nil, &BuildError{Err: err}
		}
		timer := time.NewTimer(guardRecheck)
		select {
		case <-changed:
		case <-timer.C:
		case <-m.done:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, &BuildError{Err: err, Cause: context.Cause(ctx)}
		}
		timer.Stop()
	}
	list := hops(path)
	if end != nil {
		list[len(list)-1].CC = false
		list = append(list, *end)
	}
	circ, err := m.buildAlone(ctx, path, list, opts)
	if err != nil {
		at, ok := errors.AsType[*extendError](err)
		return nil, path, &BuildError{Err: err, Cause: context.Cause(ctx), AtEnd: ok && end != nil && at.hop == len(list)}
	}
	return circ, path, nil
}

// buildAlone builds a circuit along list, the first of which is the guard of path, and tells the guards how that went.
func (m *Manager) buildAlone(ctx context.Context, path []*netdir.Relay, list []circuit.Hop, opts circuit.Options) (*circuit.Circuit, error) {
	circ, atGuard, err := m.build(ctx, target(path[0]), list, opts)
	m.do(func(time.Time) {
		switch {
		case !atGuard:
			m.cfg.Guards.Succeeded(path[0])
		case ctx.Err() == nil:
			m.cfg.Guards.Failed(path[0])
		}
	})
	return circ, err
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
