package srv

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/srstate"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// Config says who we are.
type Config struct {
	Identity    [20]byte               // SHA-1 of our v3 identity key
	Known       func(id [20]byte) bool // whether it is an authority of the network, ourselves included
	Participate bool                   // AuthDirSharedRandomness
	Version     string                 // of the program, for the file
}

// State is what an authority knows of a run. It is not safe for concurrent use.
type State struct {
	cfg        Config
	phase      Phase
	validAfter time.Time // of the consensus of the coming vote
	validUntil time.Time
	commits    map[[20]byte]srstate.Commit
	previous   *consensus.SRV
	current    *consensus.SRV
	fresh      bool // we computed current, and no consensus has it yet
	changed    bool
}

// What is wrong with a file or a commit.
var (
	ErrExpired   = errors.New("of an earlier run")
	ErrVersion   = errors.New("of an unknown version")
	ErrForeign   = errors.New("of no authority of the network")
	ErrAltered   = errors.New("not the commit that the authority made before")
	ErrRevealed  = errors.New("reveal in the commit phase")
	ErrLate      = errors.New("commit in the reveal phase")
	ErrNotOpened = errors.New("reveal does not belong to the commit")
)

// New continues the run of a file, which is nil if there is none. next is the coming vote, and random what to commit to if a
// commit is due. The error says why a file was not used; the state is good all the same.
func New(cfg Config, file []byte, now time.Time, next Round, random [32]byte) (*State, error) {
	s := &State{cfg: cfg, commits: map[[20]byte]srstate.Commit{}, changed: true}
	err := s.load(file, now, next)
	if file == nil || err != nil {
		s.phase, s.validAfter, s.validUntil = next.phase(now), next.current(), next.validUntil(now)
	}
	s.Update(next, random)
	return s, err
}

func (s *State) load(data []byte, now time.Time, next Round) error {
	if data == nil {
		return nil
	}
	f, err := srstate.Parse(data)
	switch {
	case err != nil:
		return err
	case f.Version < 1 || f.Version > srstate.Version:
		return fmt.Errorf("sr-state: %w", ErrVersion)
	case !now.Before(f.ValidUntil.Add(next.Interval)) || f.ValidAfter.After(f.ValidUntil):
		return fmt.Errorf("sr-state: %w", ErrExpired)
	}
	s.validAfter, s.validUntil, s.phase = f.ValidAfter, f.ValidUntil, next.phase(f.ValidAfter)
	s.previous, s.current = f.PreviousSRV, f.CurrentSRV
	s.fresh = next.slot(f.ValidAfter) == 0 && s.current != nil
	for _, c := range f.Commits {
		s.commits[c.Authority] = c
	}
	return nil
}

// File is the text of the file "sr-state". With it the state counts as saved.
func (s *State) File(now time.Time) []byte {
	s.changed = false
	f := srstate.File{
		Version: srstate.Version, TorVersion: s.cfg.Version, ValidAfter: s.validAfter, ValidUntil: s.validUntil,
		Commits: slices.Collect(maps.Values(s.commits)), PreviousSRV: s.previous, CurrentSRV: s.current,
	}
	return f.AppendTo(nil, now)
}

// Changed tells whether there is something to save.
func (s *State) Changed() bool { return s.changed }

// Phase is the phase of the coming vote.
func (s *State) Phase() Phase { return s.phase }

// Values are the shared random values of the coming vote; nil if not known.
func (s *State) Values() (previous, current *consensus.SRV) { return s.previous, s.current }

// Update prepares the coming vote. A vote that it was prepared for already changes nothing. Between two runs it computes
// the value of the old one, and commits us to random for the new one.
func (s *State) Update(next Round, random [32]byte) {
	if !next.ValidAfter.After(s.validAfter) {
		return
	}
	if next.run(next.ValidAfter) != next.run(s.validAfter) {
		if s.phase == Reveal {
			s.previous = s.current
			v := Compute(s.known(), s.previous)
			s.current, s.fresh = &v, true
		}
		clear(s.commits)
		s.validUntil = next.validUntil(next.ValidAfter)
	}
	if next.Phase() == Commit && len(s.commits) == 0 {
		s.commits[s.cfg.Identity] = srstate.NewCommit(s.cfg.Identity, next.ValidAfter, random)
	}
	s.validAfter, s.phase, s.changed = next.ValidAfter, next.Phase(), true
}

// Published takes over the values of a consensus, which count more than ours, and prepares the vote after it.
func (s *State) Published(previous, current *consensus.SRV, next Round, random [32]byte) {
	s.previous, s.current, s.fresh, s.changed = previous, current, false, true
	s.Update(next, random)
}

// known are the commits of authorities of the network. One may have left it during the run.
func (s *State) known() []srstate.Commit {
	return slices.SortedFunc(func(yield func(srstate.Commit) bool) {
		for id, c := range s.commits {
			if s.cfg.Known(id) && !yield(c) {
				return
			}
		}
	}, func(a, b srstate.Commit) int { return bytes.Compare(a.Authority[:], b.Authority[:]) })
}

// Receive takes the commits of a vote. voter is who signed it; only its own commit counts. The errors tell what was refused
// for good reasons, not what we have already.
func (s *State) Receive(voter [20]byte, commits []srstate.Commit) (errs []error) {
	for _, c := range commits {
		if c.Authority != voter {
			continue // votes repeat the commits of all
		}
		if err := s.receive(c); err != nil {
			errs = append(errs, fmt.Errorf("commit of %X: %w", c.Authority, err))
		}
	}
	return errs
}

// receive decides as C tor's should_keep_commit.
func (s *State) receive(c srstate.Commit) error {
	if !s.cfg.Known(c.Authority) {
		return ErrForeign
	}
	saved, ok := s.commits[c.Authority]
	switch {
	case ok && c.Commit != saved.Commit:
		return ErrAltered
	case s.phase == Commit && ok:
		return nil
	case s.phase == Commit && c.Reveal != "":
		return ErrRevealed
	case s.phase == Reveal && !ok:
		return ErrLate
	case s.phase == Reveal && (saved.Reveal != "" || c.Reveal == ""):
		return nil
	case s.phase == Reveal && !c.Opens():
		return ErrNotOpened
	}
	s.commits[c.Authority] = c
	s.changed = true
	return nil
}

// Vote is what our vote says; nil if we take no part.
// https://spec.torproject.org/srv-spec/specification.html
func (s *State) Vote() *vote.SharedRandom {
	if !s.cfg.Participate {
		return nil
	}
	v := &vote.SharedRandom{Reveal: s.phase == Reveal, Previous: s.previous, Current: s.current}
	for _, id := range slices.SortedFunc(maps.Keys(s.commits), func(a, b [20]byte) int { return bytes.Compare(a[:], b[:]) }) {
		v.Commits = append(v.Commits, s.commits[id])
	}
	return v
}
