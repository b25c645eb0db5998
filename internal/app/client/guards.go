package client

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/netstate/guard"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// guards gives the guard set, which is pure, a mutex, a clock and a place in the state file.
type guards struct {
	now   func() time.Time
	log   *slog.Logger
	state *state.File

	mu  sync.Mutex // guards set
	set *guard.Set
}

// newGuards takes the guards out of the state file. Lines that are damaged are left out: a guard less is no danger.
func newGuards(cfg Config, sel *pathsel.Selector, s *state.File, rng *rand.Rand) *guards {
	g := &guards{now: cfg.Env.Now, log: cfg.Env.Log, state: s, set: guard.New(guard.Config{
		Filter: sel.EntryOK, Version: CompatVersion, Rand: rng, NoGuards: cfg.NoGuards,
	})}
	s.Read(func(d *statedoc.Document) {
		list, errs := d.Guards()
		if len(errs) > 0 {
			cfg.Env.Log.Warn("guards in the state file left out", "err", errors.Join(errs...))
		}
		g.set.Load(list)
	})
	return g
}

// use runs f on the set and has the guards saved if they changed.
func (g *guards) use(f func(*guard.Set, time.Time)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(g.set, g.now())
	if !g.set.Changed() {
		return
	}
	list := g.set.Save()
	g.state.Change(func(d *statedoc.Document) {
		if err := d.SetGuards(list); err != nil {
			g.log.Warn("cannot write the guards to the state file", "err", err)
		}
	})
}

// Pick implements circmgr.Guards.
func (g *guards) Pick(v *netdir.View, ok func(*netdir.Relay) bool) (r *netdir.Relay, err error) {
	g.use(func(s *guard.Set, now time.Time) {
		s.Update(v, now)
		r, err = s.Pick(v, ok, now)
	})
	return r, err
}

// Succeeded implements circmgr.Guards.
func (g *guards) Succeeded(r *netdir.Relay) {
	g.use(func(s *guard.Set, now time.Time) { s.Succeeded(r.RSA, now) })
}

// Failed implements circmgr.Guards.
func (g *guards) Failed(r *netdir.Relay) {
	g.use(func(s *guard.Set, now time.Time) { s.Failed(r.RSA, now) })
}

// anyCaches returns what chooses up to n directory caches by their bandwidth, as relays do, which need not hide what they
// ask for. The owner of the directory alone calls it.
func anyCaches(rng *rand.Rand) func(v *netdir.View, n int, outdated map[[20]byte]bool) []*netdir.Relay {
	return func(v *netdir.View, n int, outdated map[[20]byte]bool) (list []*netdir.Relay) {
		for range n {
			var draw netdir.Draw
			for r := range v.Relays() {
				if r.Usable() && r.Flags.Has(consensus.V2Dir) && !outdated[r.RSA] && !slices.Contains(list, r) {
					draw.Add(r, uint64(r.Bandwidth), rng)
				}
			}
			r := draw.Chosen()
			if r == nil {
				break
			}
			list = append(list, r)
		}
		return list
	}
}

// caches returns up to n guards that serve directory documents.
func (g *guards) caches(v *netdir.View, n int, outdated map[[20]byte]bool) (list []*netdir.Relay) {
	g.use(func(s *guard.Set, now time.Time) {
		s.Update(v, now)
		list = s.Dirs(v, n, now, outdated)
	})
	return list
}
