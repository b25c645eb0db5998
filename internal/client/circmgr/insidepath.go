package circmgr

import (
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

// pathInside picks the hops before need.End, or those of a circuit to a rendezvous point. Neighbours differ, and so do the
// neighbours of a relay, which extends neither to itself nor back. Beyond that, relays may come twice: nobody is to find out
// who is the guard, or in a layer, by asking who is never chosen at the end.
//
//	guard ── layer 2 or any ── any [── end]
//	guard ── layer 2 or any ── layer 3 ── any [── end]
//	guard ── layer 2 or any ── layer 3 ── end, which was our choice
//
// https://spec.torproject.org/vanguards-spec/path-construction.html
func (m *Manager) pathInside(v *netdir.View, need InsideNeed, now time.Time) ([]*netdir.Relay, error) {
	var end []*netdir.Relay
	if need.End != nil {
		if r := v.ByRSA(need.End.RSA); r != nil {
			end = append(end, r)
		}
	}
	guard, err := m.cfg.Guards.Pick(v, func(r *netdir.Relay) bool { return m.cfg.Select.GuardOK(v, r, nil) })
	if err != nil {
		return nil, err
	}
	two, three := m.layers(v, now)
	if three == nil {
		last, err := m.lastInside(v, need, append(end, guard))
		if err != nil {
			return nil, err
		}
		second, err := m.middleInside(v, two, append(end, guard, last), now)
		if err != nil {
			return nil, err
		}
		return []*netdir.Relay{guard, second, last}, nil
	}
	var near []*netdir.Relay // the end, if it is near the second hop
	if need.Own {
		near = end
	}
	second, err := m.middleInside(v, two, append(near, guard), now)
	if err != nil {
		return nil, err
	}
	third, err := m.middleInside(v, three, append(end, guard, second), now)
	if err != nil {
		return nil, err
	}
	path := []*netdir.Relay{guard, second, third}
	if need.Own {
		return path, nil
	}
	last, err := m.lastInside(v, need, append(end, second, third))
	if err != nil {
		return nil, err
	}
	return append(path, last), nil
}

// layers returns which relays second and third hops are to be, and has the layers saved if they have changed.
func (m *Manager) layers(v *netdir.View, now time.Time) (two, three func(*netdir.Relay) bool) {
	two, three = m.cfg.Vanguards.Layers(v, now)
	if list, changed := m.cfg.Vanguards.Save(); changed && m.cfg.SaveVanguards != nil {
		m.cfg.SaveVanguards(list)
	}
	return two, three
}

// lastInside picks the last hop of our choice, which can be a rendezvous point.
func (m *Manager) lastInside(v *netdir.View, need InsideNeed, not []*netdir.Relay) (*netdir.Relay, error) {
	return m.cfg.Select.Rendezvous(v, pathsel.Need{Stable: need.Stable, Avoid: not}, m.cfg.Rand)
}

// middleInside picks a hop before it: one that has not failed lately, if there is one.
func (m *Manager) middleInside(v *netdir.View, among func(*netdir.Relay) bool, not []*netdir.Relay, now time.Time) (*netdir.Relay, error) {
	wanted := among
	if among == nil {
		wanted = m.cfg.Select.LayerOK
	}
	up := func(r *netdir.Relay) bool { return wanted(r) && m.stock.up(r, now) }
	if r, err := m.cfg.Select.OnionMiddle(v, up, not, pathsel.Need{}, m.cfg.Rand); err == nil {
		return r, nil
	}
	return m.cfg.Select.OnionMiddle(v, among, not, pathsel.Need{}, m.cfg.Rand)
}
