package dircache

import (
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// ErrTooOld says that a consensus is too old even to make diffs from.
var ErrTooOld = errors.New("consensus is too old to be of use")

// An edition is a consensus as it is served. It never changes: work on it makes a new one.
type edition struct {
	flavor                             consensus.Flavor
	validAfter, freshUntil, validUntil time.Time
	digest                             [32]byte // SHA3-256 of the signed part, by which clients name it
	whole                              [32]byte // SHA3-256 of all
	signers                            []string // fingerprints of authorities, in upper case
	doc                                *blob
	diffs                              map[[32]byte]*blob // by the digest of the base; nil if no diff can be made
	stored
}

// with returns a copy with another blob: the document for the zero digest, or a diff.
func (e *edition) with(base [32]byte, b *blob) *edition {
	out := *e
	if base == [32]byte{} {
		out.doc = b
		return &out
	}
	out.diffs = maps.Clone(e.diffs)
	if out.diffs == nil {
		out.diffs = map[[32]byte]*blob{}
	}
	out.diffs[base] = b
	return &out
}

// flavorState is what the cache knows of one flavor.
type flavorState struct {
	newest *edition
	served *edition // newest, or the one before until newest has a compressed form
	bases  []*base  // ascending by date
	listed map[[20]byte]struct{}
}

// SetConsensus adds a verified consensus, whose text is doc, which must not change afterwards. The newest one is served and
// the others are what diffs are made from, in whatever order they come. One that is there already is ignored.
func (c *Cache) SetConsensus(doc []byte, cons *consensus.Consensus) error {
	now := c.cfg.Env.Now()
	if cons.ValidAfter.Before(now.Add(-c.cfg.MaxConsensusAge)) {
		return ErrTooOld
	}
	e := &edition{
		flavor: cons.Flavor, validAfter: cons.ValidAfter, freshUntil: cons.FreshUntil, validUntil: cons.ValidUntil,
		digest: cons.Digests.SHA3, whole: cons.Digests.Whole, signers: signersOf(cons), doc: newBlob(doc),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	st := &c.flavors[e.flavor]
	switch {
	case st.newest == nil || e.validAfter.After(st.newest.validAfter):
		st.promote(e)
		if st.newest != nil {
			st.keep(st.newest)
		}
		st.newest = e
		c.noteListedLocked(cons)
	case st.knows(e.validAfter):
		return nil
	default:
		st.keep(e)
	}
	c.trimLocked(st, now)
	c.wakeUp()
	return nil
}

func (c *Cache) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func signersOf(c *consensus.Consensus) (list []string) {
	for i := range c.Signatures {
		list = append(list, strings.ToUpper(hex.EncodeToString(c.Signatures[i].Identity[:])))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (st *flavorState) knows(validAfter time.Time) bool {
	return st.newest != nil && st.newest.validAfter.Equal(validAfter) ||
		slices.ContainsFunc(st.bases, func(b *base) bool { return b.ValidAfter.Equal(validAfter) })
}

// promote takes an edition that is to be the newest from among the bases, where one that lies in the archive is.
func (st *flavorState) promote(e *edition) {
	i := slices.IndexFunc(st.bases, func(b *base) bool { return b.ValidAfter.Equal(e.validAfter) })
	if i < 0 {
		return
	}
	if st.bases[i].Digest == e.digest {
		e.stored = st.bases[i].stored
	}
	st.bases = slices.Delete(slices.Clone(st.bases), i, i+1)
}

// keep makes an edition a base.
func (st *flavorState) keep(e *edition) {
	b := &base{Archived: e.archived(), stored: e.stored}
	if b.file == "" {
		if b.packed = e.doc.forms[dirhttp.Deflate]; b.packed == nil {
			b.doc = e.doc.forms[dirhttp.Identity]
		}
	}
	st.insert(b)
}

func (st *flavorState) insert(b *base) {
	i, _ := slices.BinarySearchFunc(st.bases, b.ValidAfter, func(b *base, t time.Time) int { return b.ValidAfter.Compare(t) })
	st.bases = slices.Insert(st.bases, i, b)
}

// trimLocked drops bases that are too many or too old, and the diffs from them.
func (c *Cache) trimLocked(st *flavorState, now time.Time) {
	cutoff := now.Add(-c.cfg.MaxConsensusAge)
	drop := max(0, len(st.bases)-max(c.cfg.KeepConsensuses, 0))
	for drop < len(st.bases) && st.bases[drop].ValidAfter.Before(cutoff) {
		drop++
	}
	if drop == 0 {
		return
	}
	gone := st.bases[:drop]
	st.bases = slices.Clone(st.bases[drop:])
	st.forget(gone)
	for _, b := range gone {
		if b.file != "" {
			c.dropped = append(c.dropped, b.file)
		}
	}
}

// forget takes the diffs from dropped bases out of the newest edition. An older one that is still served keeps its own for
// the moments that it has left.
func (st *flavorState) forget(gone []*base) {
	if st.newest == nil || len(st.newest.diffs) == 0 {
		return
	}
	e := *st.newest
	e.diffs = maps.Clone(e.diffs)
	for _, b := range gone {
		delete(e.diffs, b.Digest)
	}
	st.replace(&e)
}

// replace installs a new state of the newest edition.
func (st *flavorState) replace(e *edition) {
	isServed := st.served != nil && st.served.digest == e.digest && st.served.validAfter.Equal(e.validAfter)
	st.newest = e
	if isServed || e.doc.tried.Has(dirhttp.Deflate) {
		st.served = e
	}
}

// view returns the edition that is served, nil if there is none, and whether the digests hold that of the newest one.
func (c *Cache) view(f consensus.Flavor, digests [][32]byte) (e *edition, isNewest bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	st := &c.flavors[f]
	return st.served, st.newest != nil && slices.Contains(digests, st.newest.digest)
}
