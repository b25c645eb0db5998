package client

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// guards is interim.
type guards struct {
	sel *pathsel.Selector
	mu  sync.Mutex
	rng *rand.Rand
	cur [20]byte
}

func newGuards(cfg Config, sel *pathsel.Selector, s *state, rng *rand.Rand) *guards {
	return &guards{sel: sel, rng: rng}
}
func (g *guards) Pick(v *netdir.View, ok func(*netdir.Relay) bool) (*netdir.Relay, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := v.ByRSA(g.cur); r != nil && r.Usable() && ok(r) {
		return r, nil
	}
	var list []*netdir.Relay
	for r := range v.Relays() {
		if r.Usable() && r.Flags.Has(consensus.Guard) && g.sel.EntryOK(r) && ok(r) {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no guard")
	}
	r := list[g.rng.IntN(len(list))]
	g.cur = r.RSA
	return r, nil
}
func (g *guards) Succeeded(*netdir.Relay) {}
func (g *guards) Failed(r *netdir.Relay)  { g.mu.Lock(); g.cur = [20]byte{}; g.mu.Unlock() }
func (g *guards) caches(v *netdir.View, n int) (out []*netdir.Relay) {
	for r := range v.Relays() {
		if r.Listed() && r.Flags.Has(consensus.V2Dir) && len(out) < n {
			out = append(out, r)
		}
	}
	return
}
func (g *guards) update(v *netdir.View) {}
