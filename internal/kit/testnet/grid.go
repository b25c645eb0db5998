package testnet

import (
	"context"
	"time"
)

// lead is how long before a vote the network starts: its relays must have told the authorities of themselves by then.
const lead = 2500 * time.Millisecond

// delayOf is the part of a voting interval that goes to votes, and again to signatures.
func delayOf(voting time.Duration) time.Duration { return (voting / 5).Truncate(time.Second) }

// untilStart is how long to wait with the start of the authorities. Votes are held on a grid that begins at midnight UTC.
// An authority that starts when its vote should be out already sends one too late, and a vote before relays are known
// makes an empty consensus. Waiting costs nothing, since only the next vote can bring a complete one.
// https://spec.torproject.org/dir-spec/computing-consensus.html#voting-timeline
func untilStart(now time.Time, voting time.Duration) time.Duration {
	phase := time.Duration(now.UnixNano()) % voting
	if phase+lead <= voting-2*delayOf(voting) {
		return 0
	}
	return voting - phase
}

// awaitGrid returns at a good time to start the authorities.
func (n *Network) awaitGrid(ctx context.Context) error {
	timer := time.NewTimer(untilStart(time.Now(), n.cfg.Voting))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
