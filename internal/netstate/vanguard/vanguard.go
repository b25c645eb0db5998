package vanguard

import (
	"math/rand/v2"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// Mode says how much is kept.
type Mode uint8

// The modes.
const (
	Auto Mode = iota // Lite or Off, as the consensus says
	Off
	Lite // layer 2
	Full // layers 2 and 3, over restarts
)

// Config is what a Set needs.
type Config struct {
	Mode   Mode
	Layer2 func(*netdir.Relay) bool // the only relays for second hops that the user wants (HSLayer2Nodes), kept by nobody; nil if he does not say
	Layer3 func(*netdir.Relay) bool // likewise for third hops (HSLayer3Nodes); they make paths longer, whatever Mode is
	OK     func(*netdir.Relay) bool // which relays the user wants as middles
	Rand   *rand.Rand
}

// A Set is the relays that are kept. It is for one goroutine.
type Set struct {
	cfg     Config
	two     layer
	three   layer
	changed bool
}

// New returns a Set that is empty.
func New(cfg Config) *Set { return &Set{cfg: cfg} }

// Layers returns which relays second and third hops are to be; nil if any will do. Paths that have a layer 3 are longer by a hop
// where somebody else has chosen their end, so that it does not tell who is in the layer. The functions are good until the next
// call.
func (s *Set) Layers(v *netdir.View, now time.Time) (two, three func(*netdir.Relay) bool) {
	two, three = s.cfg.Layer2, s.cfg.Layer3
	full := s.cfg.Mode == Full
	if two == nil && s.lasts(v) {
		s.changed = s.two.update(v, now, layer2(full), &s.cfg) || s.changed
		two = s.two.has
	}
	if three == nil && full {
		s.changed = s.three.update(v, now, layer3, &s.cfg) || s.changed
		three = s.three.has
	}
	return two, three
}

// lasts tells whether second hops are kept.
func (s *Set) lasts(v *netdir.View) bool {
	if s.cfg.Mode == Auto {
		return v.Consensus().Params.Of(params.VanguardsLiteEnabled) != 0
	}
	return s.cfg.Mode != Off
}

// Forget drops the relays of the lite form, for a new identity, as C tor does. Those of the full form would be worth
// nothing if whoever can ask for a new identity could change them.
func (s *Set) Forget() {
	if s.cfg.Mode != Full {
		s.two = layer{}
	}
}

// Load takes in the relays that an earlier run has kept. Modes other than Full do not look at them.
func (s *Set) Load(list []statedoc.Vanguard) {
	if s.cfg.Mode != Full {
		return
	}
	for _, g := range list {
		switch g.Layer {
		case 2:
			s.two.load(g)
		case 3:
			s.three.load(g)
		}
	}
}

// Save returns what is to be kept over a restart, and whether that has changed since the last call.
func (s *Set) Save() (list []statedoc.Vanguard, changed bool) {
	changed, s.changed = s.changed && s.cfg.Mode == Full, false
	if !changed {
		return nil, false
	}
	return append(s.two.save(2), s.three.save(3)...), true
}
