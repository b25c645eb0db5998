package pathsel

import (
	"fmt"
	"math/rand/v2"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
)

// Reason is why a relay does not do.
type Reason uint8

// The reasons, in the order in which they are looked at.
const (
	NoneUsable Reason = iota // no relay can be used there at all, by what the directory says of it
	NotChosen                // not among those that the user wants there
	Excluded                 // by the user
	Rejected                 // by its exit policy
	Avoided                  // has failed this stream before
	Related                  // to another hop of the path
	fits
)

// An Error says why there is no relay for a position.
type Error struct {
	Position   netdir.Position
	Reason     Reason // why the relays that came closest did not do
	Candidates int    // how many these are
	Port       uint16 // that was needed; 0 if any would do
}

func (e *Error) Error() string {
	p, n := e.Position, e.Candidates
	option := map[netdir.Position]string{netdir.Middle: "MiddleNodes", netdir.Exit: "ExitNodes"}[p]
	switch e.Reason {
	case NotChosen:
		return fmt.Sprintf("%s matches none of %d usable %ss", option, n, p)
	case Excluded:
		return fmt.Sprintf("the configuration excludes all of %d %ss", n, p)
	case Rejected:
		return fmt.Sprintf("no exit allows port %d: 0 of %d exits", e.Port, n)
	case Avoided:
		return fmt.Sprintf("all of %d exits that would do have been tried", n)
	case Related:
		return fmt.Sprintf("all of %d %ss are of one family or subnet with other hops, or are this relay", n, p)
	}
	return fmt.Sprintf("the directory has no usable %s", p)
}

// choose chooses a relay by bandwidth, in one pass over the directory, among those that fit.
func choose(v *netdir.View, p netdir.Position, need *Need, rng *rand.Rand, judge func(*netdir.Relay) Reason) (*netdir.Relay, error) {
	var preferred, rest netdir.Draw
	var misfits [fits]int
	flags := need.preferred()
	for r := range v.Relays() {
		if !r.Usable() {
			continue
		}
		switch why := judge(r); {
		case why != fits:
			misfits[why]++
		case r.Flags.Has(flags):
			preferred.Add(r, v.Weight(r, p), rng)
		default:
			rest.Add(r, v.Weight(r, p), rng)
		}
	}
	if r := preferred.Chosen(); r != nil {
		return r, nil
	}
	if r := rest.Chosen(); r != nil {
		return r, nil
	}
	e := &Error{Position: p, Port: need.Port}
	for why, n := range misfits {
		if n > 0 {
			e.Reason, e.Candidates = Reason(why), n
		}
	}
	return nil, e
}
