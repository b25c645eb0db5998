package client

import (
	"errors"

	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/netstate/vanguard"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// newVanguards takes what an earlier run has kept out of the state file.
func newVanguards(cfg Config, sel *pathsel.Selector, s *state.File) *vanguard.Set {
	set := vanguard.New(vanguard.Config{Mode: cfg.Vanguards, Layer2: sel.Layer2(), Layer3: sel.Layer3(), OK: sel.LayerOK, Rand: newRand()})
	s.Read(func(d *statedoc.Document) {
		list, errs := d.Vanguards()
		if len(errs) > 0 {
			cfg.Env.Log.Warn("vanguards in the state file left out", "err", errors.Join(errs...))
		}
		set.Load(list)
	})
	return set
}

func saveVanguards(s *state.File) func([]statedoc.Vanguard) {
	return func(list []statedoc.Vanguard) {
		s.Change(func(d *statedoc.Document) { d.SetVanguards(list) })
	}
}
