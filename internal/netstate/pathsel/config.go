package pathsel

import (
	"net/netip"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Config is what the user wants of paths. The zero value is what most users should have.
type Config struct {
	Entry, Middle, Exit torrc.NodeSet // the only relays to use there; all if empty
	Exclude             torrc.NodeSet // relays to use nowhere, even if listed above
	ExcludeExit         torrc.NodeSet // relays not to use as exits
	Layer2              torrc.NodeSet // the only second hops of paths to and from onion services (HSLayer2Nodes); all if empty
	Layer3              torrc.NodeSet // the only third ones (HSLayer3Nodes)
	Strict              bool          // fail rather than use an excluded relay where no other will do
	NodeFamilies        []torrc.NodeSet
	SharedSubnets       bool // relays of one subnet may be in one path (EnforceDistinctSubnets 0)

	// Self is the RSA identity of our own relay, if this node is one: no path goes through it or its kin. It is zero for none.
	Self [20]byte

	// Country tells the country of an address, as sets have it: two letters in lower case, or "??". If it is nil, no
	// relay is in a set by its country.
	Country func(netip.Addr) string
}

// UsesCountries reports whether some set names a country. If Country is nil, the user is to be warned.
func (c *Config) UsesCountries() bool {
	sets := append([]torrc.NodeSet{c.Entry, c.Middle, c.Exit, c.Exclude, c.ExcludeExit, c.Layer2, c.Layer3}, c.NodeFamilies...)
	for _, set := range sets {
		if len(set.Countries) > 0 {
			return true
		}
	}
	return false
}

// A Selector chooses relays. It does not change, so any number of goroutines may use it.
type Selector struct{ cfg Config }

// New returns a Selector.
func New(cfg Config) *Selector {
	if cfg.Country == nil {
		cfg.Country = func(netip.Addr) string { return "" }
	}
	return &Selector{cfg}
}

// in reports whether r is in a set.
func (s *Selector) in(set *torrc.NodeSet, r *netdir.Relay) bool {
	return set.Len() > 0 && set.Contains(r.RSA, r.Nickname, r.Addrs(), s.cfg.Country)
}

// chosen reports whether r is among the relays that the user wants somewhere.
func (s *Selector) chosen(set *torrc.NodeSet, r *netdir.Relay) bool {
	return set.Len() == 0 || s.in(set, r)
}

// Permits reports whether the user lets r be used at all. Excluded relays may be used all the same when it is necessary
// for an onion service, a directory or a test of our own ports, since no other relay will do; unless the user is strict.
func (s *Selector) Permits(r *netdir.Relay, necessary bool) bool {
	return necessary && !s.cfg.Strict || !s.in(&s.cfg.Exclude, r)
}

// related reports whether a and b must not be in one path: they are the same relay, or one operator or network may be
// behind both.
//
// https://spec.torproject.org/path-spec/path-selection-constraints.html
func (s *Selector) related(v *netdir.View, a, b *netdir.Relay) bool {
	if a.RSA == b.RSA || !s.cfg.SharedSubnets && netdir.SameSubnet(a, b) || v.SameFamily(a, b) {
		return true
	}
	for i := range s.cfg.NodeFamilies {
		if family := &s.cfg.NodeFamilies[i]; s.in(family, a) && s.in(family, b) {
			return true
		}
	}
	return false
}

// self reports whether r is our own relay, or must not be in a path with it.
func (s *Selector) self(v *netdir.View, r *netdir.Relay) bool {
	if s.cfg.Self == ([20]byte{}) {
		return false
	}
	me := v.ByRSA(s.cfg.Self)
	return me != nil && s.related(v, me, r)
}

// PathFraction is the share of the paths that this user may use for which the microdescriptors are there.
func (s *Selector) PathFraction(v *netdir.View) float64 {
	return v.PathFractionOf(netdir.Filter{Guard: s.only(&s.cfg.Entry), Middle: s.only(&s.cfg.Middle), Exit: s.only(&s.cfg.Exit)})
}

// only returns what tells whether a relay is in a set; nil if the set is empty, as all relays will do then.
func (s *Selector) only(set *torrc.NodeSet) func(*netdir.Relay) bool {
	if set.Len() == 0 {
		return nil
	}
	return func(r *netdir.Relay) bool { return s.in(set, r) }
}
