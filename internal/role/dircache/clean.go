package dircache

import (
	"maps"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// liveSlack is how long before and after its time a consensus is still served, and microdescriptors are dropped by it.
const liveSlack = 24 * time.Hour

// tooNew and tooOld tell why an edition must not be served (networkstatus_valid_after_is_reasonably_live in C tor).
func (e *edition) tooNew(now time.Time) bool { return now.Before(e.validAfter.Add(-liveSlack)) }
func (e *edition) tooOld(now time.Time) bool { return now.After(e.validUntil.Add(liveSlack)) }

// noteListedLocked notes which documents the newest consensus lists.
func (c *Cache) noteListedLocked(cons *consensus.Consensus) {
	if cons.Flavor == consensus.Microdesc {
		for i := range cons.Relays {
			if m := c.micros[cons.Relays[i].Digest]; m != nil {
				m.noteListed(cons.ValidAfter)
			}
		}
		return
	}
	listed := make(map[[20]byte]struct{}, len(cons.Relays))
	for i := range cons.Relays {
		digest := [20]byte(cons.Relays[i].Digest[:20])
		listed[digest] = struct{}{}
		if r := c.routers.byDigest[digest]; r != nil && cons.ValidUntil.After(r.listedUntil) {
			r.listedUntil = cons.ValidUntil
		}
	}
	c.flavors[consensus.NS].listed = listed
}

// Clean drops documents that nobody asks for any more, by the rules of C tor. Run calls it every hour.
func (c *Cache) Clean() {
	now := c.cfg.Env.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.flavors {
		c.trimLocked(&c.flavors[i], now)
	}
	c.cleanCertsLocked(now)
	c.cleanRoutersLocked(now)
	c.cleanMicrosLocked(now)
}

// cleanRoutersLocked needs a consensus: without one, nobody knows what is listed.
func (c *Cache) cleanRoutersLocked(now time.Time) {
	listed := c.flavors[consensus.NS].listed
	if listed == nil {
		return
	}
	most := maxPerRouter
	if len(c.routers.byDigest) >= 2*len(c.routers.byFP) {
		most = maxUnlistedRouters
	}
	used := map[[20]byte]bool{}
	for _, list := range c.routers.byFP {
		unlisted := 0
		for _, r := range slices.Backward(slices.Clone(list)) { // the newest first
			if _, isListed := listed[r.Digest]; !isListed && r.listedUntil.Before(now) {
				if unlisted++; unlisted > most || !r.Published.After(now.Add(-maxRouterAge)) {
					c.routers.remove(r)
					continue
				}
			}
			used[r.extraInfo] = true
		}
	}
	maps.DeleteFunc(c.extras, func(digest [20]byte, e *extraInfo) bool {
		return !used[digest] && e.Published.Before(now.Add(-maxLonelyAge))
	})
}

// cleanMicrosLocked needs a live consensus: a node that slept for long has old times for all of them.
func (c *Cache) cleanMicrosLocked(now time.Time) {
	newest := c.flavors[consensus.Microdesc].newest
	if newest == nil || newest.tooNew(now) || newest.tooOld(now) {
		return
	}
	maps.DeleteFunc(c.micros, func(_ [32]byte, m *micro) bool { return m.lastListed.Before(now.Add(-maxUnlisted)) })
}
