package srv

import "time"

// Votes of a phase and phases of a run.
const (
	votesOfPhase = 12 // SHARED_RANDOM_N_ROUNDS
	votesOfRun   = 2 * votesOfPhase
)

// Phase is a half of a run.
type Phase uint8

// The phases.
const (
	Commit Phase = iota
	Reveal
)

func (p Phase) String() string {
	if p == Reveal {
		return "reveal"
	}
	return "commit"
}

// Round is a vote by the consensus that it leads to.
type Round struct {
	ValidAfter time.Time
	Interval   time.Duration // between votes; whole seconds, more than zero
}

// seconds is the interval; a nonsensical one counts as the shortest that there is.
func (r Round) seconds() int64 { return max(int64(r.Interval/time.Second), 1) }

// slot is the place of a moment in its run, 0 to 23.
func (r Round) slot(t time.Time) int {
	return int(t.Unix() / r.seconds() % votesOfRun)
}

// run numbers the runs.
func (r Round) run(t time.Time) int64 {
	return t.Unix() / (votesOfRun * r.seconds())
}

func (r Round) phase(t time.Time) Phase {
	if r.slot(t) < votesOfPhase {
		return Commit
	}
	return Reveal
}

// Phase is the phase that the vote belongs to.
func (r Round) Phase() Phase { return r.phase(r.ValidAfter) }

// current is when the consensus before that of the round becomes valid.
func (r Round) current() time.Time { return r.ValidAfter.Add(-r.Interval) }

// validUntil is what C tor writes into its file for a state that begins at t (get_state_valid_until_time): the end of the
// run, but one vote less for a run that is entered at its beginning.
func (r Round) validUntil(t time.Time) time.Time {
	return r.current().Add(time.Duration(votesOfRun-r.slot(t)) * r.Interval)
}
