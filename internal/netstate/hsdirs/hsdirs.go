// Package hsdirs finds the directories of onion service descriptors in a consensus.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#WHERE-HSDESC
package hsdirs

import (
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// Dirs is the directories of one view, in the order of each time period that was asked for. It is for one goroutine at a time.
type Dirs struct {
	clock    hskeys.Clock
	c        *consensus.Consensus
	relays   []*netdir.Relay
	ids      [][32]byte // of relays
	rings    map[ringKey]*hskeys.Ring
	replicas int
}

type ringKey struct {
	period hskeys.Period
	srv    hskeys.SRV
}

// New looks for the directories of v. testing says that it is a test network (TestingTorNetwork).
func New(v *netdir.View, testing bool) (*Dirs, error) {
	c := v.Consensus()
	clock, err := hskeys.NewClock(c.ValidAfter, c.FreshUntil.Sub(c.ValidAfter), int64(c.Params.Of(params.HSDirInterval)), testing)
	if err != nil {
		return nil, err
	}
	d := &Dirs{clock: clock, c: c, rings: map[ringKey]*hskeys.Ring{}, replicas: int(c.Params.Of(params.HSDirNReplicas))}
	for r := range v.Relays() {
		// Not Usable: which relays we have the keys of may not decide where a descriptor is.
		if r.Listed() && r.Flags.Has(consensus.HSDir) && !r.Flags.Has(consensus.MiddleOnly) && r.Caps.Has(protover.CapHSDir) && r.HasEd {
			d.relays = append(d.relays, r)
			d.ids = append(d.ids, r.Ed)
		}
	}
	return d, nil
}

// Clock tells the time periods.
func (d *Dirs) Clock() hskeys.Clock { return d.clock }

// Fetch returns where a client looks for the descriptor of a blinded key.
func (d *Dirs) Fetch(u hskeys.Use, blinded [32]byte) []*netdir.Relay {
	return d.responsible(u, blinded, params.HSDirSpreadFetch)
}

// Store returns where a service puts it.
func (d *Dirs) Store(u hskeys.Use, blinded [32]byte) []*netdir.Relay {
	return d.responsible(u, blinded, params.HSDirSpreadStore)
}

func (d *Dirs) responsible(u hskeys.Use, blinded [32]byte, spread params.Param) []*netdir.Relay {
	key := ringKey{u.Period, u.SRV}
	ring := d.rings[key]
	if ring == nil {
		ring = hskeys.NewRing(d.ids, d.srv(u), u.Period)
		d.rings[key] = ring
	}
	var list []*netdir.Relay
	for _, i := range ring.Responsible(blinded, d.replicas, int(d.c.Params.Of(spread))) {
		list = append(list, d.relays[i])
	}
	return list
}

// srv is the shared random value for a use, or what stands in for one that the authorities have not agreed on.
func (d *Dirs) srv(u hskeys.Use) [32]byte {
	v := d.c.CurrentSRV
	if u.SRV == hskeys.PreviousSRV {
		v = d.c.PreviousSRV
	}
	if v == nil {
		return hskeys.DisasterSRV(u.Period)
	}
	return v.Value
}
