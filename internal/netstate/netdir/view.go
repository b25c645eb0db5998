package netdir

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// A View is a consensus with the microdescriptors that are there. It does not change.
type View struct {
	consensus *consensus.Consensus
	relays    []*Relay   // one for each entry of the consensus, in its order: ascending by RSA identity
	byEd      []uint32   // indices into relays of those that have an Ed25519 identity, ascending by that
	missing   [][32]byte // digests of microdescriptors that are wanted and not there
	lacking   []uint32   // the relays they belong to
	families  packer

	weights       weights
	guardFraction bool // consensus parameters
	familyLists   bool
	familyIDs     bool
}

// Lookup finds a microdescriptor by its digest; it returns nil if it is not there.
type Lookup func(digest [32]byte) *microdesc.Microdesc

// New returns the view of a consensus of the microdesc flavor and the microdescriptors that lookup finds. It keeps the
// consensus, which must not change any more.
func New(c *consensus.Consensus, lookup Lookup) *View {
	v := &View{
		consensus:     c,
		relays:        make([]*Relay, len(c.Relays)),
		families:      packer{},
		weights:       newWeights(c),
		guardFraction: c.Params.Of(params.UseGuardFraction) != 0,
		familyLists:   c.Params.Of(params.UseFamilyLists) != 0,
		familyIDs:     c.Params.Of(params.UseFamilyIDs) != 0,
	}
	wanted := make([]uint32, 0, len(c.Relays))
	for i := range c.Relays {
		v.relays[i] = newRelay(&c.Relays[i])
		if v.relays[i].Listed() {
			wanted = append(wanted, uint32(i))
		}
	}
	v.take(wanted, lookup)
	return v
}

// With returns the view after more microdescriptors have arrived: those that were missing and that lookup finds now. It
// is v itself if there are none.
func (v *View) With(lookup Lookup) *View {
	if !slices.ContainsFunc(v.missing, func(d [32]byte) bool { return lookup(d) != nil }) {
		return v
	}
	next := *v
	next.relays = slices.Clone(v.relays)
	next.families = maps.Clone(v.families)
	next.take(v.lacking, lookup)
	return &next
}

// take looks for the microdescriptors of the relays in wanted. A relay whose own is there is replaced by one that knows
// what it says.
func (v *View) take(wanted []uint32, lookup Lookup) {
	v.missing, v.lacking = nil, nil
	var fresh []uint32 // to be added to byEd
	for _, i := range wanted {
		digest := v.consensus.Relays[i].Digest
		md := lookup(digest)
		if md == nil {
			v.missing = append(v.missing, digest)
			v.lacking = append(v.lacking, i)
			continue
		}
		r := *v.relays[i]
		r.describe(md, v.families)
		v.relays[i] = &r
		if r.HasEd {
			fresh = append(fresh, i)
		}
	}
	slices.SortFunc(fresh, v.compareEd)
	v.byEd = merge(v.byEd, fresh, v.compareEd)
}

// compareEd orders relays by Ed25519 identity, then by RSA identity.
func (v *View) compareEd(a, b uint32) int {
	if c := bytes.Compare(v.relays[a].Ed[:], v.relays[b].Ed[:]); c != 0 {
		return c
	}
	return cmp.Compare(a, b)
}

// merge merges sorted lists into a new one.
func merge(a, b []uint32, compare func(a, b uint32) int) []uint32 {
	list := make([]uint32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) < 0 {
			list, a = append(list, a[0]), a[1:]
		} else {
			list, b = append(list, b[0]), b[1:]
		}
	}
	return append(append(list, a...), b...)
}

// Consensus returns the consensus that the view is made of.
func (v *View) Consensus() *consensus.Consensus { return v.consensus }

// Len returns how many relays the consensus lists, usable or not.
func (v *View) Len() int { return len(v.relays) }

// Relays yields them, ascending by RSA identity.
func (v *View) Relays() iter.Seq[*Relay] { return slices.Values(v.relays) }

// ByRSA returns the relay with an RSA identity, nil if there is none.
func (v *View) ByRSA(id [20]byte) *Relay {
	i, ok := slices.BinarySearchFunc(v.relays, id, func(r *Relay, id [20]byte) int { return bytes.Compare(r.RSA[:], id[:]) })
	if !ok {
		return nil
	}
	return v.relays[i]
}

// ByEd returns the relay with an Ed25519 identity, nil if there is none or its microdescriptor is not there yet. Should
// several have it, then it is the one with the lowest RSA identity.
func (v *View) ByEd(id [32]byte) *Relay {
	i, ok := slices.BinarySearchFunc(v.byEd, id, func(i uint32, id [32]byte) int { return bytes.Compare(v.relays[i].Ed[:], id[:]) })
	if !ok {
		return nil
	}
	return v.relays[v.byEd[i]]
}

// Missing returns the digests of the microdescriptors that are wanted and not there. It is the view's own list: do not
// change it.
func (v *View) Missing() [][32]byte { return v.missing }
