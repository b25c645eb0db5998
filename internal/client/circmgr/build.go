package circmgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// ErrBuildTimeout is why a build that took too long was given up.
var ErrBuildTimeout = errors.New("circuit build timed out")

// noPath takes note that there is no path, and tells people once.
func (m *Manager) noPath(err error, now time.Time) {
	if m.lastErr == nil || m.lastErr.Error() != err.Error() {
		m.log.Log(context.Background(), safelog.LevelNotice, "no path through the network", "err", err)
	}
	m.lastErr = err
	m.backoff.failed(now)
	m.publish(Event{State: Failed, Err: err})
}

// launch chooses a path for need and starts to build it.
func (m *Manager) launch(v *netdir.View, need pathsel.Need) (*entry, error) {
	path, err := m.choosePath(v, need)
	if err != nil {
		return nil, err
	}
	m.lastCirc++
	e := &entry{id: m.lastCirc, need: need, path: path}
	m.pool[e] = struct{}{}
	m.publish(Event{Circ: e.id, State: Launched, Path: path})
	opts := m.circuitOptions(v)
	ctx := m.ctx
	safego.Go(&m.wg, m.log, "circuit build", func() {
		var circ *circuit.Circuit
		atGuard, err := true, errors.New("panic in circuit build")
		safego.Run(m.log, "circuit build", func() { circ, atGuard, err = m.build(ctx, target(path[0]), hops(path), opts) })
		if !m.do(func(now time.Time) { m.built(e, circ, atGuard, err, now) }) && circ != nil {
			circ.Close()
		}
	})
	return e, nil
}

// choosePath picks exit, guard and middle, in this order: whoever asks wants a certain exit, and the guard is to be the
// same one whenever possible.
//
// https://spec.torproject.org/path-spec/path-selection-constraints.html
func (m *Manager) choosePath(v *netdir.View, need pathsel.Need) ([]*netdir.Relay, error) {
	exit, err := m.cfg.Select.Exit(v, need, m.cfg.Rand)
	if err != nil {
		return nil, err
	}
	guard, err := m.cfg.Guards.Pick(v, func(r *netdir.Relay) bool { return m.cfg.Select.GuardOK(v, r, exit) })
	if err != nil {
		return nil, err
	}
	middle, err := m.cfg.Select.Middle(v, []*netdir.Relay{guard, exit}, need, m.cfg.Rand)
	if err != nil {
		return nil, err
	}
	return []*netdir.Relay{guard, middle, exit}, nil
}

// build makes a circuit along hops. atGuard tells whether it failed before the first hop was there.
func (m *Manager) build(ctx context.Context, first link.Target, hops []circuit.Hop, opts circuit.Options) (c *circuit.Circuit, atGuard bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.cfg.BuildTimeout, ErrBuildTimeout)
	defer cancel()
	l, err := m.cfg.Links.Get(ctx, first)
	if err != nil {
		return nil, true, &extendError{1, err}
	}
	c, err = circuit.Create(ctx, l, hops[0], opts)
	if err != nil {
		return nil, true, &extendError{1, err}
	}
	for i, h := range hops[1:] {
		if err := c.Extend(ctx, h); err != nil {
			c.Close()
			return nil, false, &extendError{i + 2, err}
		}
	}
	return c, false, nil
}

// An extendError says at which hop, counted from 1, a circuit came to its end.
type extendError struct {
	hop int
	err error
}

func (e *extendError) Error() string {
	if e.hop == 1 {
		return e.err.Error()
	}
	return fmt.Sprintf("extending to hop %d: %v", e.hop, e.err)
}

func (e *extendError) Unwrap() error { return e.err }

// hops are those of a path. As C tor, ask the last one alone for congestion control: no other one gets DATA.
func hops(path []*netdir.Relay) []circuit.Hop {
	list := make([]circuit.Hop, len(path))
	for i, r := range path {
		list[i] = hop(r)
		list[i].CC = i+1 == len(path) && r.Protocols.Supports(protover.FlowCtrl, 2)
	}
	return list
}

// built takes in the outcome of a build.
func (m *Manager) built(e *entry, c *circuit.Circuit, atGuard bool, err error, now time.Time) {
	if err != nil {
		delete(m.pool, e)
		m.lastErr = err
		if m.ctx.Err() != nil {
			return
		}
		m.backoff.failed(now)
		if atGuard {
			m.cfg.Guards.Failed(e.path[0])
		} else {
			m.cfg.Guards.Succeeded(e.path[0])
		}
		m.log.Debug("circuit failed", "circ", e.id, "path", pathText(e.path), "err", err)
		m.publish(Event{Circ: e.id, State: Failed, Path: e.path, Err: err})
		return
	}
	e.circ, e.opened = c, now
	m.lastErr = nil
	m.backoff.reset()
	m.cfg.Guards.Succeeded(e.path[0])
	m.log.Debug("circuit built", "circ", e.id, "path", pathText(e.path))
	m.publish(Event{Circ: e.id, State: Built, Path: e.path})
	safego.Go(&m.wg, m.log, "circuit watch", func() {
		<-c.Done()
		m.log.Debug("circuit closed", "circ", e.id, "err", c.Err())
		m.publish(Event{Circ: e.id, State: Closed, Path: e.path, Err: c.Err()})
		m.do(func(now time.Time) { m.shun(e, now) }) // and work looks at the pool
	})
}

func pathText(path []*netdir.Relay) safelog.Sensitive[string] {
	names := make([]string, len(path))
	for i, r := range path {
		names[i] = fmt.Sprintf("$%X~%s", r.RSA, r.Nickname)
	}
	return safelog.Of(strings.Join(names, ","))
}

// circuitOptions reads what the consensus says about new circuits.
//
// https://spec.torproject.org/param-spec.html
func (m *Manager) circuitOptions(v *netdir.View) circuit.Options {
	p := v.Consensus().Params
	return circuit.Options{
		Window:          int(p.Of(params.CircWindow)),
		SendmeAcceptMin: uint8(p.Of(params.SendmeAcceptMinVersion)),
		CC:              congestion.ReadParams(p, congestion.ExitPath),
		Padding:         m.cfg.Padding,
	}
}

func target(r *netdir.Relay) link.Target {
	return link.Target{Addrs: r.Addrs(), RSA: r.RSA, HasRSA: true, Ed: r.Ed, HasEd: r.HasEd}
}

func hop(r *netdir.Relay) circuit.Hop {
	return circuit.Hop{
		RSA: r.RSA, Ed: r.Ed, HasEd: r.HasEd, NTor: r.NTor,
		V3:    r.Protocols.Supports(protover.Relay, 4),
		Pads:  r.Protocols.Supports(protover.Padding, 2),
		Addrs: r.Addrs(),
	}
}
