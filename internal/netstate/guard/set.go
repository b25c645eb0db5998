package guard

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// Config is what a Set needs. Zero numbers and times mean what the consensus says.
type Config struct {
	Filter  func(*netdir.Relay) bool // tells whether our user lets a relay be a guard; nil lets all
	Version string                   // of this program, for the state file
	Rand    *rand.Rand               // must be there; only the Set's methods use it

	NoGuards bool          // draw each first hop anew (UseEntryGuards 0)
	Primary  int           // primary guards (NumPrimaryGuards)
	InUse    int           // those of them among which circuits are divided (NumEntryGuards)
	DirInUse int           // the same for directory requests (NumDirectoryGuards)
	Lifetime time.Duration // of a guard in the sample (GuardLifetime); less than a day counts as zero
}

// A Set is our guards. New makes one.
type Set struct {
	cfg        Config
	main       sample            // "default" in the state file
	restricted sample            // takes its place when the user lets only few relays be guards
	others     []*statedoc.Guard // of samples that are not ours, such as bridges
	current    *sample
	chosen     bool // current was chosen by a consensus

	consensus   *consensus.Consensus // that Update saw last
	params      params.List          // of that consensus
	updated     time.Time
	lastSuccess time.Time
	changed     bool
}

// New returns a Set without guards.
func New(cfg Config) *Set {
	s := &Set{cfg: cfg, main: sample{name: "default"}, restricted: sample{name: "restricted"}}
	s.current = &s.main
	return s
}

// Load replaces the guards by those of a state file.
func (s *Set) Load(list []*statedoc.Guard) {
	s.main.guards, s.restricted.guards, s.others = nil, nil, nil
	seen := map[string]map[[20]byte]bool{s.main.name: {}, s.restricted.name: {}}
	for _, g := range list {
		ids, ours := seen[g.Selection]
		switch {
		case !ours:
			s.others = append(s.others, g)
		case !ids[g.RSA]:
			ids[g.RSA] = true
			p := &s.main
			if g.Selection == s.restricted.name {
				p = &s.restricted
			}
			p.guards = append(p.guards, &guard{Guard: *g})
		}
	}
	for _, p := range []*sample{&s.main, &s.restricted} {
		p.loaded()
	}
	s.consensus = nil // so that the next view is looked at
}

// Save returns the guards for the state file.
func (s *Set) Save() []*statedoc.Guard {
	s.changed = false
	var list []*statedoc.Guard
	for _, p := range []*sample{&s.main, &s.restricted} {
		for _, g := range p.guards {
			line := g.Guard
			list = append(list, &line)
		}
	}
	return append(list, s.others...)
}

// Changed reports whether Save would return something else than the last time, or than what Load got.
func (s *Set) Changed() bool { return s.changed }

// guard is a guard in a sample.
type guard struct {
	statedoc.Guard // what outlives us

	passes   bool // the consensus lists it, and the user lets it be used
	primary  bool
	reach    reach
	failing  time.Time // since when; zero if it is not
	failedAt time.Time // the last time
}

func (g *guard) confirmed() bool { return g.ConfirmedIdx >= 0 }

// sample is a set of guards under one name.
type sample struct {
	name    string
	guards  []*guard // in the order in which they were sampled
	primary []*guard // in the same order
}

func (p *sample) find(id [20]byte) *guard {
	for _, g := range p.guards {
		if g.RSA == id {
			return g
		}
	}
	return nil
}

// loaded brings guards from a file into order. Those without a place come last.
func (p *sample) loaded() {
	p.primary = nil
	slices.SortStableFunc(p.guards, func(a, b *guard) int { return cmp.Compare(uint(a.SampledIdx), uint(b.SampledIdx)) })
	for i, g := range p.guards {
		g.SampledIdx = i
		if !g.confirmed() {
			g.ConfirmedOn = time.Time{}
		}
	}
	p.renumber()
}

// renumber closes gaps in the numbers of confirmed guards.
func (p *sample) renumber() {
	confirmed := slices.DeleteFunc(slices.Clone(p.guards), func(g *guard) bool { return !g.confirmed() })
	slices.SortStableFunc(confirmed, func(a, b *guard) int { return cmp.Compare(a.ConfirmedIdx, b.ConfirmedIdx) })
	for i, g := range confirmed {
		g.ConfirmedIdx = i
	}
}

// confirm makes g the last of the confirmed guards.
func (p *sample) confirm(g *guard, on time.Time) {
	next := 0
	for _, other := range p.guards {
		next = max(next, other.ConfirmedIdx+1)
	}
	g.ConfirmedIdx, g.ConfirmedOn = next, on
}

// choosePrimary chooses up to n primary guards: confirmed ones in the order in which they were sampled, then those that
// were primary before, then others that are not down.
//
// https://spec.torproject.org/guard-spec/algorithm.html
func (p *sample) choosePrimary(n int) {
	old := p.primary
	for _, g := range old {
		g.primary = false
	}
	p.primary = nil
	add := func(list []*guard, ok func(*guard) bool) {
		for _, g := range list {
			if len(p.primary) < n && g.passes && !g.primary && ok(g) {
				g.primary = true
				p.primary = append(p.primary, g)
			}
		}
	}
	add(p.guards, (*guard).confirmed)
	add(old, func(*guard) bool { return true })
	add(p.guards, func(g *guard) bool { return g.reach != down })
	slices.SortFunc(p.primary, func(a, b *guard) int { return cmp.Compare(a.SampledIdx, b.SampledIdx) })
}
