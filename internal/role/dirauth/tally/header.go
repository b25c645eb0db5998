package tally

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// chooseMethod returns the highest method that more than two thirds of the votes know, 1 if there is none.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func chooseMethod(votes []*vote.Vote) int {
	var all []int
	for _, v := range votes {
		all = append(all, v.Methods...)
	}
	slices.Sort(all)
	best := 1
	for run := range runs(all, same) {
		if len(run) > 2*len(votes)/3 {
			best = run[0]
		}
	}
	return best
}

// header makes a consensus of the ns flavor without entries.
func (t *tally) header() (*consensus.Consensus, error) {
	c := &consensus.Consensus{
		Flavor: consensus.NS, Method: t.method,
		ValidAfter: t.medianTime(func(v *vote.Vote) time.Time { return v.ValidAfter }),
		FreshUntil: t.medianTime(func(v *vote.Vote) time.Time { return v.FreshUntil }),
		ValidUntil: t.medianTime(func(v *vote.Vote) time.Time { return v.ValidUntil }),
		VoteDelay:  medianOf(t, func(v *vote.Vote) time.Duration { return v.VoteDelay }),
		DistDelay:  medianOf(t, func(v *vote.Vote) time.Duration { return v.DistDelay }),

		ClientVersions: t.recommended(func(v *vote.Vote) []string { return v.ClientVersions }),
		ServerVersions: t.recommended(func(v *vote.Vote) []string { return v.ServerVersions }),
	}
	if c.FreshUntil.Sub(c.ValidAfter) < t.cfg.MinInterval || c.ValidUntil.Sub(c.FreshUntil) < t.cfg.MinInterval {
		return nil, ErrTimes // single votes may be valid for less than two intervals after they are fresh
	}
	if t.method < methodNoPackages {
		c.Packages = t.packages()
	}
	t.flags = knownFlags(t.votes)
	c.KnownFlags = t.flags
	t.setProtocols(c)
	t.params = t.computeParams()
	c.Params = t.params
	c.PreviousSRV, c.CurrentSRV = t.agreedSRV()
	c.Sources = t.sources()
	return c, nil
}

func (t *tally) medianTime(of func(*vote.Vote) time.Time) time.Time {
	return time.Unix(medianOf(t, func(v *vote.Vote) int64 { return of(v).Unix() }), 0).UTC()
}

func medianOf[T ~int64](t *tally, of func(*vote.Vote) T) T {
	list := make([]T, len(t.votes))
	for i, v := range t.votes {
		list[i] = of(v)
	}
	return median(list)
}

// recommended returns the versions that more than half of the votes name that name any.
func (t *tally) recommended(of func(*vote.Vote) []string) []string {
	var all []string
	voters := 0
	for _, v := range t.votes {
		list := of(v)
		if list == nil {
			continue
		}
		voters++
		list = slices.Clone(list)
		slices.SortStableFunc(list, t.compareVersions)
		list = slices.CompactFunc(list, func(a, b string) bool { return t.compareVersions(a, b) == 0 })
		all = append(all, list...)
	}
	slices.SortStableFunc(all, t.compareVersions)
	var good []string
	for run := range runs(all, same) {
		if len(run) > voters/2 {
			good = append(good, run[0])
		}
	}
	return good
}

// packages returns the package lines of which each is in three votes and in the majority of those that have a line about
// this version of this package.
//
// https://spec.torproject.org/dir-spec/computing-consensus.html
func (t *tally) packages() []string {
	lines := map[string][]string{} // by name and version
	for _, v := range t.votes {
		last := map[string]string{}
		for _, line := range v.Packages {
			if key, ok := packageKey(line); ok {
				last[key] = line
			}
		}
		for key, line := range last {
			lines[key] = append(lines[key], line)
		}
	}
	var good []string
	for _, list := range lines {
		slices.Sort(list)
		if line, n := mostFrequent(list, same); len(list) >= 3 && n > len(list)/2 {
			good = append(good, line)
		}
	}
	slices.Sort(good)
	return good
}

// packageKey returns the name and the version out of "name version url digesttype=value ...", or false for any other form.
func packageKey(line string) (key string, ok bool) {
	words := strings.Split(line, " ")
	if len(words) < 4 || slices.Contains(words, "") {
		return "", false
	}
	for _, word := range words[3:] {
		if kind, value, ok := strings.Cut(word, "="); !ok || kind == "" || value == "" || strings.Contains(value, "=") {
			return "", false
		}
	}
	return words[0] + " " + words[1], true
}

// setProtocols recommends what half, and requires what two thirds of the authorities do, rounded up.
func (t *tally) setProtocols(c *consensus.Consensus) {
	half, twoThirds := (t.cfg.Authorities+1)/2, (2*t.cfg.Authorities+2)/3
	agree := func(threshold int, of func(*vote.Vote) protover.Set) protover.Set {
		sets := make([]protover.Set, len(t.votes))
		for i, v := range t.votes {
			sets[i] = of(v)
		}
		return protover.Vote(sets, threshold)
	}
	c.RecommendedClient = agree(half, func(v *vote.Vote) protover.Set { return v.RecommendedClient })
	c.RecommendedRelay = agree(half, func(v *vote.Vote) protover.Set { return v.RecommendedRelay })
	c.RequiredClient = agree(twoThirds, func(v *vote.Vote) protover.Set { return v.RequiredClient })
	c.RequiredRelay = agree(twoThirds, func(v *vote.Vote) protover.Set { return v.RequiredRelay })
}

// sources lists the authorities that voted, and their legacy identities as if they were others.
func (t *tally) sources() []consensus.DirSource {
	var list []consensus.DirSource
	for _, v := range t.votes {
		list = append(list, v.Source)
		if v.LegacyKey != [20]byte{} {
			legacy := v.Source
			legacy.Legacy, legacy.Identity, legacy.Nickname = true, v.LegacyKey, fmt.Sprintf("%s-legacy", v.Source.Nickname)
			list = append(list, legacy)
		}
	}
	slices.SortStableFunc(list, func(a, b consensus.DirSource) int { return bytes.Compare(a.Identity[:], b.Identity[:]) })
	return list
}
