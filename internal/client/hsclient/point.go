package hsclient

import (
	"cmp"
	"net/netip"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
)

// hopOf returns how to put an introduction point on a circuit. Of what the descriptor says, it takes what C tor does, so that
// nobody can tell the two apart: IPv4 and ntor.
func (c *Client) hopOf(p *hsdesc.IntroPoint) (h circuit.Hop, err error) {
	set, err := linkspec.NewSet(p.Specs)
	if err != nil {
		return h, err
	}
	var addr netip.AddrPort
	for _, a := range set.Addrs {
		if a.Addr().Is4() {
			addr = a
			break
		}
	}
	switch {
	case !set.HasRSA || addr.Port() == 0 || addr.Addr().IsUnspecified():
		return h, errNoAddress
	case !c.cfg.AllowPrivate && inet.IsInternal(addr.Addr()):
		return h, errPrivate
	}
	return circuit.Hop{RSA: set.RSA, Ed: set.Ed, HasEd: set.HasEd, NTor: p.OnionKey, Addrs: []netip.AddrPort{addr}}, nil
}

// point is an introduction point to try.
type point struct {
	key   pointKey
	intro hsntor.Intro
	hop   circuit.Hop
}

// pickPoint chooses one of the usable introduction points by chance, and prefers those that the user has not excluded, and of
// these those that have failed least. It returns nil if there is none.
func (c *Client) pickPoint(s *session, d *descriptor) *point {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Env.Now()
	var best, excluded *point
	least := 0 // failures of best
	for _, i := range c.rand.Perm(len(d.Points)) {
		p := &d.Points[i]
		key := pointKey{s.key.service, authKey(p)}
		if !c.failures.usable(key, now) {
			continue
		}
		h, err := c.hopOf(p)
		if err != nil {
			c.log.Debug("introduction point is of no use", "err", err)
			c.failures.note(key, now).refused = true
			continue
		}
		found := &point{key, hsntor.Intro{AuthKey: key.authKey, EncKey: p.EncKey}, h}
		r := &netdir.Relay{RSA: h.RSA, Addr: h.Addrs[0]}
		switch {
		case c.cfg.Select.Permits(r, false):
			n := 0
			if f := c.failures.of(key, now); f != nil {
				n = f.unreachable
			}
			if best == nil || n < least {
				best, least = found, n
			}
		case c.cfg.Select.Permits(r, true):
			excluded = found
		}
	}
	if best == nil {
		return excluded
	}
	return best
}

// usableLocked tells whether an introduction point of d may be tried.
func (c *Client) usableLocked(s *session, d *descriptor) bool {
	now := c.cfg.Env.Now()
	return d.has(func(p *hsdesc.IntroPoint) bool { return c.failures.usable(pointKey{s.key.service, authKey(p)}, now) })
}

// introError says why no introduction point of d is left.
func (c *Client) introError(s *session, d *descriptor, last error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Env.Now()
	reason := IntroTimedOut
	if len(d.Points) == 0 || d.has(func(p *hsdesc.IntroPoint) bool { return !c.failures.timedOut(pointKey{s.key.service, authKey(p)}, now) }) {
		reason = IntroFailed
	}
	return because(reason, cmp.Or(last, errNoPoints))
}

// blame notes a failure of an introduction point.
func (c *Client) blame(p *point, f func(*failure)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.failures.note(p.key, c.cfg.Env.Now()))
}

// praise forgets that an introduction point could not be reached, since it could.
func (c *Client) praise(p *point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.failures.of(p.key, c.cfg.Env.Now()); f != nil {
		f.unreachable = 0
	}
}
