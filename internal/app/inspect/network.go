package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// A network is what consensuses and votes have in common, for comparing.
type network struct {
	kind   string // "ns", "microdesc" or "vote"
	header Object // texts
	params []string
	relays []entry // ascending by id
}

// An entry is a relay.
type entry struct {
	id       [20]byte
	nickname string
	flags    []string
	numbers  Object // bandwidths; whole numbers
	rest     Object // other properties; texts
}

func networkOf(c *consensus.Consensus) *network {
	n := &network{kind: c.Flavor.String()}
	h := &n.header
	h.add("consensus-method", strconv.Itoa(c.Method))
	addCommon(h, c.ValidAfter, c.FreshUntil, c.ValidUntil, c.VoteDelay, c.DistDelay)
	h.add("client-versions", strings.Join(c.ClientVersions, ","))
	h.add("server-versions", strings.Join(c.ServerVersions, ","))
	h.add("known-flags", strings.Join(c.KnownFlags, " "))
	h.add("recommended-client-protocols", c.RecommendedClient.String())
	h.add("recommended-relay-protocols", c.RecommendedRelay.String())
	h.add("required-client-protocols", c.RequiredClient.String())
	h.add("required-relay-protocols", c.RequiredRelay.String())
	addSRV(h, c.PreviousSRV, c.CurrentSRV)
	var voters []string
	for i := range c.Sources {
		voters = append(voters, c.Sources[i].Nickname)
	}
	h.add("voters", strings.Join(voters, " "))
	n.params = append(paramWords(c.Params), paramWords(c.Weights)...)
	for i := range c.Relays {
		r := &c.Relays[i]
		e := newEntry(r, c.Flavor)
		e.flags = c.Names(r.Flags)
		if r.Unmeasured {
			e.rest.add("measured", "no")
		}
		n.relays = append(n.relays, e)
	}
	return n
}

func addCommon(h *Object, after, fresh, until time.Time, voting, dist time.Duration) {
	h.add("valid-after", text(after))
	h.add("fresh-until", text(fresh))
	h.add("valid-until", text(until))
	h.add("voting-delay", seconds(voting, dist))
}

// newEntry takes what an entry of either kind of document has.
func newEntry(r *consensus.RouterStatus, flavor consensus.Flavor) entry {
	e := entry{id: r.ID, nickname: r.Nickname()}
	if r.HasBandwidth {
		e.numbers.add("bandwidth", int64(r.Bandwidth))
	}
	if r.HasGuardFraction {
		e.numbers.add("guard-fraction", int64(r.GuardFraction))
	}
	digest := r.Digest[:]
	if flavor == consensus.NS {
		digest = digest[:20]
	}
	e.rest.add("nickname", e.nickname)
	e.rest.add("digest", hex(digest))
	e.rest.add("address", fmt.Sprint(r.IPv4()))
	if a := r.IPv6(); a.IsValid() {
		e.rest.add("ipv6", a.String())
	}
	if r.DirPort != 0 {
		e.rest.add("dirport", strconv.Itoa(int(r.DirPort)))
	}
	e.rest.add("version", r.Version)
	e.rest.add("protocols", r.Protos.Text)
	e.rest.add("policy", r.Policy)
	return e
}

func (e *entry) name() string { return hex(e.id[:]) }

// names lists the fields that two objects have, in order.
func names(a, b Object) (list []string) {
	for _, o := range []Object{a, b} {
		for _, f := range o {
			if !slices.Contains(list, f.Name) {
				list = append(list, f.Name)
			}
		}
	}
	return list
}
