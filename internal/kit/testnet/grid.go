package testnet

import (
	"runtime"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// delayOf is the part of a voting interval that goes to votes, and again to signatures.
func delayOf(voting time.Duration) time.Duration { return (voting / 5).Truncate(time.Second) }

// firstDelay is that part for the first consensus: the least that authorities take.
const firstDelay = 2 * time.Second // MIN_VOTE_SECONDS_TESTING, MIN_DIST_SECONDS_TESTING of C tor

// What a start takes until all relays have told the authorities of themselves: a part for all, and a part for each node
// and processor, which is mostly the making of keys. To miss the first vote costs a whole interval: so there is some air.
const (
	leadOfAll   = time.Second
	leadOfOurs  = 100 * time.Millisecond
	leadOfOther = 600 * time.Millisecond
)

// lead is what the start of the nodes takes.
func lead(nodes []*Node) time.Duration {
	var sum time.Duration
	for _, node := range nodes {
		if ctor.IsTropea(node.Bin) {
			sum += leadOfOurs
		} else {
			sum += leadOfOther
		}
	}
	return leadOfAll + sum/time.Duration(runtime.NumCPU())
}

// votingOffset is by how much the voting intervals are shifted from midnight UTC, for the first vote to be held as soon as
// the relays are known, and for the first consensus to last a whole interval: on a shorter one the time periods of onion
// services would be others than later, and C tor takes none of less than ten seconds. now is when the authorities start.
// https://spec.torproject.org/dir-spec/computing-consensus.html#voting-timeline
func votingOffset(now time.Time, lead, voting time.Duration) time.Duration {
	first := now.Add(lead + 2*firstDelay + time.Second - 1).Truncate(time.Second)
	return time.Duration(first.UnixNano()) % voting
}

// NextConsensus is when the first consensus after now comes into force, if all goes well.
func (n *Network) NextConsensus(now time.Time) time.Time {
	return now.UTC().Add(-n.offset).Truncate(n.cfg.Voting).Add(n.cfg.Voting + n.offset)
}
