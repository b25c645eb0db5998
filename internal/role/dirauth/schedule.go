package dirauth

import "time"

// Timing is when authorities vote. All of them must have the same, or have it by the consensus.
type Timing struct {
	Interval             time.Duration // from one consensus to the next
	VoteDelay, DistDelay time.Duration // for votes, and for signatures, to get around
	Offset               time.Duration // of the intervals from midnight (TestingV3AuthVotingStartOffset)
}

// A Schedule has the times of one consensus, in their order.
//
// https://spec.torproject.org/dir-spec/outline.html#voting-timeline
type Schedule struct {
	Vote            time.Time // votes are made and sent
	FetchVotes      time.Time // those that are missing are fetched; votes that come by themselves are too late
	Compute         time.Time // the consensus is computed, signatures are sent
	FetchSignatures time.Time // those that are missing are fetched
	ValidAfter      time.Time // the consensus is published
}

// NextSchedule returns the schedule of the next consensus after now. Intervals do not cross midnight, and what would be left
// of less than half an interval before it belongs to the one before (voting_sched_get_start_of_interval_after in C tor).
func NextSchedule(now time.Time, t Timing) Schedule {
	if t.VoteDelay+t.DistDelay > t.Interval/2 {
		t.VoteDelay = (t.Interval / 4).Truncate(time.Second)
		t.DistDelay = t.VoteDelay
	}
	at := startAfter(now, t)
	return Schedule{
		Vote: at.Add(-t.DistDelay - t.VoteDelay), FetchVotes: at.Add(-t.DistDelay - halfSeconds(t.VoteDelay)), Compute: at.Add(-t.DistDelay),
		FetchSignatures: at.Add(-halfSeconds(t.DistDelay)), ValidAfter: at,
	}
}

// halfSeconds is the half in whole seconds, which C tor counts in.
func halfSeconds(d time.Duration) time.Duration { return (d / 2).Truncate(time.Second) }

func startAfter(now time.Time, t Timing) time.Time {
	today := now.UTC().Truncate(24 * time.Hour)
	tomorrow := today.Add(24 * time.Hour)
	next := today.Add((now.Sub(today)/t.Interval + 1) * t.Interval)
	if next.Add(t.Interval / 2).After(tomorrow) {
		next = tomorrow
	}
	if next = next.Add(t.Offset); next.Add(-t.Interval).After(now) {
		next = next.Add(-t.Interval)
	}
	return next
}
