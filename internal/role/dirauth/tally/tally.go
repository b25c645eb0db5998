package tally

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/torversion"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// The consensus methods that we know.
const (
	MinMethod = microdesc.MinMethod
	MaxMethod = microdesc.MaxMethod

	methodFixedPublished = 33 // no time of publication in the microdesc flavor
	methodNoPackages     = 34
)

// Why there is no consensus.
var (
	ErrFewVotes  = errors.New("too few votes for a consensus")
	ErrTwice     = errors.New("two votes of one authority")
	ErrNoRunning = errors.New("no vote knows the flag Running") // clients would find no relay
	ErrTimes     = errors.New("consensus would be fresh or valid for too short a time")
)

// A Config is what the consensus depends on besides the votes.
type Config struct {
	Authorities int           // how many are configured, those that did not vote included
	MinInterval time.Duration // vote.MinInterval or vote.MinIntervalTesting

	// AgreedSRV finds the shared random values on which the votes agree: Agreed of a srv.State, since it depends on what we
	// know ourselves. It gets what each vote says, nil for one that takes no part, ascending by identity; and how many
	// votes must agree on a value just computed. If it is nil, there are no values.
	AgreedSRV func(votes []*vote.SharedRandom, authorities, agreements int) (previous, current *consensus.SRV)
}

// A Result is what Compute makes.
type Result struct {
	Method int
	// Wanted is the method that the votes chose. If it is not Method, we do not know it, and the others will hardly sign
	// what we made.
	Wanted int

	// The consensuses, without signatures. Flags of entries are in the bodies alone.
	NS, Microdesc *consensus.Consensus

	// Their texts up to where the signatures begin.
	NSBody, MicrodescBody []byte

	Warnings []string // oddities that the operator ought to know
}

// maxWarnings bounds Result.Warnings.
const maxWarnings = 50

// A tally is one run of Compute.
type tally struct {
	cfg    Config
	method int
	votes  []*vote.Vote // ascending by identity
	flags  []string     // all that the votes know, and NoEdConsensus; ascending
	params params.List

	versions map[string]parsedVersion
	result   *Result
}

type parsedVersion struct {
	v  torversion.Version
	ok bool
}

// Compute makes the consensuses out of votes of different authorities. The order of the votes does not matter.
func Compute(votes []*vote.Vote, cfg Config) (*Result, error) {
	t := &tally{cfg: cfg, votes: slices.Clone(votes), versions: map[string]parsedVersion{}, result: new(Result)}
	byIdentity := func(a, b *vote.Vote) int { return bytes.Compare(a.Source.Identity[:], b.Source.Identity[:]) }
	slices.SortFunc(t.votes, byIdentity)
	for i := 1; i < len(t.votes); i++ {
		if byIdentity(t.votes[i-1], t.votes[i]) == 0 {
			return nil, ErrTwice
		}
	}
	if t.cfg.Authorities = max(cfg.Authorities, len(votes)); len(votes) <= t.cfg.Authorities/2 {
		return nil, fmt.Errorf("%d of %d: %w", len(votes), t.cfg.Authorities, ErrFewVotes)
	}
	if !slices.ContainsFunc(t.votes, func(v *vote.Vote) bool { return slices.Contains(v.KnownFlags, "Running") }) {
		return nil, ErrNoRunning
	}
	if err := t.compute(); err != nil {
		return nil, err
	}
	return t.result, nil
}

func (t *tally) compute() error {
	r := t.result
	r.Wanted = chooseMethod(t.votes)
	r.Method = r.Wanted
	if r.Wanted < MinMethod || r.Wanted > MaxMethod {
		r.Method = MaxMethod
		t.warn("the votes chose consensus method %d, which this version does not know", r.Wanted)
	}
	t.method = r.Method

	header, err := t.header()
	if err != nil {
		return err
	}
	ns, md := *header, *header
	md.Flavor = consensus.Microdesc
	r.NS, r.Microdesc = &ns, &md

	relays := t.relays()
	weights := t.weigh(relays)
	ns.Weights, md.Weights = weights, weights
	if r.NSBody, err = t.write(&ns, relays); err != nil {
		return err
	}
	r.MicrodescBody, err = t.write(&md, relays)
	return err
}

// write puts the entries of the flavor into the consensus and makes its text.
func (t *tally) write(c *consensus.Consensus, relays []chosen) ([]byte, error) {
	flags := make([]string, 0, len(relays))
	c.Relays = make([]consensus.RouterStatus, 0, len(relays))
	size := 4096
	for i := range relays {
		r := &relays[i]
		s := r.status
		if c.Flavor == consensus.Microdesc {
			if r.microdesc == [32]byte{} {
				continue // clients of this flavor could do nothing with the relay
			}
			s.Digest, s.Policy = r.microdesc, ""
			if t.method >= methodFixedPublished {
				s.Published = fixedPublished
			}
		}
		c.Relays = append(c.Relays, s)
		flags = append(flags, r.flags)
		size += 260 + len(r.flags) + len(s.Policy) + len(s.Protos.Text)
	}
	return c.AppendBodyFlags(make([]byte, 0, size), func(i int) string { return flags[i] })
}

// fixedPublished is the time of publication that tells nothing, 2038-01-01 00:00:00.
const fixedPublished = 2145916800

func (t *tally) warn(format string, args ...any) {
	if len(t.result.Warnings) < maxWarnings {
		t.result.Warnings = append(t.result.Warnings, fmt.Sprintf(format, args...))
	}
}
