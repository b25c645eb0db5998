package tally

import (
	"bytes"
	"iter"

	"github.com/tropea-net/tropea/internal/wire/vote"
)

// A candidate is what the votes say of one relay.
type candidate struct {
	entries []*vote.Relay // one for each vote, nil if it says nothing of this relay
	listed  int           // how many are not nil
	agreed  int           // how many votes agree on the Ed25519 identity, more than half of the authorities; 0 if they do not
}

// collate yields the relays that more than half of the authorities list, ascending by RSA identity. If so many agree on
// the Ed25519 identity, the entries are theirs and those of votes that say nothing of it; else they are all with this RSA
// identity. The candidate is the same one each time.
//
// The votes are sorted, so this is a merge; C tor gets the same out of hash tables (dircollator_collate_by_ed25519).
func collate(votes []*vote.Vote, authorities int) iter.Seq[*candidate] {
	return func(yield func(*candidate) bool) {
		next := make([]int, len(votes)) // index of the first entry not yet looked at
		c := candidate{entries: make([]*vote.Relay, len(votes))}
		for gather(votes, next, c.entries) {
			if c.settle(authorities) && !yield(&c) {
				return
			}
		}
	}
}

// gather sets entries to those of the lowest identity that is left, and moves on. It returns false if there is none.
func gather(votes []*vote.Vote, next []int, entries []*vote.Relay) bool {
	var lowest *vote.Relay
	clear(entries)
	for i, v := range votes {
		if next[i] == len(v.Relays) {
			continue
		}
		r := &v.Relays[next[i]]
		order := -1
		if lowest != nil {
			order = bytes.Compare(r.Status.ID[:], lowest.Status.ID[:])
		}
		if order < 0 {
			lowest = r
			clear(entries)
		}
		if order <= 0 {
			entries[i] = r
		}
	}
	for i, r := range entries {
		if r != nil {
			next[i]++
		}
	}
	return lowest != nil
}

// settle leaves out the entries that disagree with a majority on the Ed25519 identity. It reports whether enough remain.
func (c *candidate) settle(authorities int) bool {
	c.listed, c.agreed = 0, 0
	for _, r := range c.entries {
		if r == nil {
			continue
		}
		c.listed++
		if n := c.count(r); n > authorities/2 {
			c.agreed = n
			c.keep(r)
			break
		}
	}
	if c.agreed > 0 {
		c.listed = 0
		for _, r := range c.entries {
			if r != nil {
				c.listed++
			}
		}
	}
	return c.listed > authorities/2
}

// count returns how many entries tell the same Ed25519 identity as r; 0 if r tells none.
func (c *candidate) count(r *vote.Relay) (n int) {
	if !r.HasEd25519 {
		return 0
	}
	for _, s := range c.entries {
		if s != nil && s.HasEd25519 && s.Ed25519 == r.Ed25519 {
			n++
		}
	}
	return n
}

// keep drops the entries that tell another Ed25519 identity than r.
func (c *candidate) keep(r *vote.Relay) {
	for i, s := range c.entries {
		if s != nil && s.HasEd25519 && s.Ed25519 != r.Ed25519 {
			c.entries[i] = nil
		}
	}
}
