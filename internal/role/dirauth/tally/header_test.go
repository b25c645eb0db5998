package tally_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// https://spec.torproject.org/dir-spec/computing-consensus.html
func TestMethod(t *testing.T) {
	for _, tt := range []struct {
		votes        string // methods of each vote
		wanted, used int
	}{
		{"32,33|32,33|32,33", 33, 33},
		{"32,33|32,33|32", 32, 32}, // two of three are not more than two thirds
		{"32,33|32,33|32,33|32", 33, 33},
		{"32,33,34,35|32,33|32,34|32", 32, 32},
		{"32|33|34", 1, 35},
		{"36|36|36", 36, 35},
		{"1,32|1,32|1,32", 32, 32},
		{"31|31|31", 31, 35},
	} {
		methods := strings.Split(tt.votes, "|")
		r := compute(t, votesOf(len(methods), func(i int, v *vote.Vote) {
			v.Methods = nil
			for m := range strings.SplitSeq(methods[i], ",") {
				var n int
				fmt.Sscan(m, &n)
				v.Methods = append(v.Methods, n)
			}
		}))
		if r.Wanted != tt.wanted || r.Method != tt.used || (len(r.Warnings) > 0) != (r.Wanted != r.Method && r.Method == 35) {
			t.Errorf("%s: got %d, used %d, %q", tt.votes, r.Wanted, r.Method, r.Warnings)
		}
		wantLines(t, tt.votes, r.NSBody, "consensus-method", fmt.Sprint(tt.used))
	}
}

func TestMedianTimes(t *testing.T) {
	r := compute(t, votesOf(4, func(i int, v *vote.Vote) {
		v.ValidAfter = validAfter.Add(time.Duration(i) * time.Minute)
		v.FreshUntil = validAfter.Add(time.Hour - time.Duration(i)*time.Minute)
		v.ValidUntil = validAfter.Add(3*time.Hour + time.Duration(i*i)*time.Minute)
		v.VoteDelay, v.DistDelay = time.Duration(3+i)*time.Second, time.Duration(13-i)*time.Second
	}))
	wantLines(t, "medians", r.NSBody, "valid-after", "2026-01-01 00:01:00")
	wantLines(t, "medians", r.NSBody, "fresh-until", "2026-01-01 00:58:00")
	wantLines(t, "medians", r.NSBody, "valid-until", "2026-01-01 03:01:00")
	wantLines(t, "medians", r.NSBody, "voting-delay", "4 11")
}

func TestNoConsensus(t *testing.T) {
	nothing := func(int, *vote.Vote) {}
	for _, tt := range []struct {
		name        string
		authorities int
		votes       []*vote.Vote
		want        error
	}{
		{"no vote", 1, nil, tally.ErrFewVotes},
		{"no vote, no authority", 0, nil, tally.ErrFewVotes},
		{"half of the votes", 4, votesOf(2, nothing), tally.ErrFewVotes},
		{"more than half", 4, votesOf(3, nothing), nil},
		{"nobody knows Running", 3, votesOf(3, func(_ int, v *vote.Vote) { v.KnownFlags = nil }), tally.ErrNoRunning},
		{"one authority twice", 3, votesOf(3, func(_ int, v *vote.Vote) { v.Source.Identity = [20]byte{1} }), tally.ErrTwice},
		{"hardly valid", 3, votesOf(3, func(_ int, v *vote.Vote) { v.ValidUntil = v.FreshUntil.Add(time.Minute) }), tally.ErrTimes},
	} {
		if _, err := tally.Compute(tt.votes, tally.Config{Authorities: tt.authorities, MinInterval: vote.MinInterval}); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		votes [][]string
		want  string
	}{
		{"nobody has an opinion", [][]string{nil, nil, nil}, ""},
		{"empty opinions count", [][]string{{"0.4.9.1"}, {}, {}}, ""},
		{"no opinion does not", [][]string{{"0.4.9.1"}, nil, nil}, "0.4.9.1"},
		{"half is too few", [][]string{{"0.4.9.1"}, {"0.4.9.2"}}, ""},
		{"majority", [][]string{{"0.4.9.1", "0.4.9.2"}, {"0.4.9.1"}, {"0.4.9.2", "0.4.9.3"}}, "0.4.9.1,0.4.9.2"},
		{"in order of versions", [][]string{{"0.4.9.10", "0.4.9.9", "0.4.9.10-rc", "x"}}, "0.4.9.9,0.4.9.10,0.4.9.10-rc,x"},
		{"twice in a vote counts once", [][]string{{"0.4.9.1", "0.4.9.1"}, {"0.4.9.2"}, {"0.4.9.2"}}, "0.4.9.2"},
	} {
		r := compute(t, votesOf(len(tt.votes), func(i int, v *vote.Vote) { v.ClientVersions, v.ServerVersions = tt.votes[i], tt.votes[i] }))
		wantLines(t, tt.name, r.NSBody, "client-versions", tt.want)
		wantLines(t, tt.name, r.NSBody, "server-versions", tt.want)
	}
}

func TestPackages(t *testing.T) {
	const a, b, c = "tor 1 u sha256=aa", "tor 1 u sha256=bb", "zap 1 u a=b c=d"
	all := [][]string{{a, c}, {a, c}, {b, c}, {a}, {"tor 2 u", "tor  1 u x=y", "tor 3 u =y", "tor 4 u y=", "tor 5 u x=y=z"}}
	for _, tt := range []struct {
		name   string
		method int
		votes  [][]string
		want   []string
	}{
		{"since method 34 there are none", 34, all, nil},
		{"method 33", 33, all, []string{a, c}},
		{"two votes", 33, [][]string{{a}, {a}, {}}, nil},
		{"half", 33, [][]string{{a}, {a}, {b}, {b}}, nil},
		{"the last in a vote counts", 33, [][]string{{b, a}, {a}, {a}}, []string{a}},
	} {
		r := compute(t, votesOf(len(tt.votes), func(i int, v *vote.Vote) { v.Packages, v.Methods = tt.votes[i], []int{tt.method} }))
		wantLines(t, tt.name, r.NSBody, "package", tt.want...)
	}
}

func TestProtocols(t *testing.T) {
	for _, tt := range []struct {
		authorities, votes    int
		recommended, required string
	}{
		// All vote for Link, all but one for Relay and so on.
		{4, 4, "Conflux=1 Link=4 Relay=2", "Link=4 Relay=2"},
		{5, 4, "Link=4 Relay=2", "Link=4"},
		{6, 6, "Conflux=1 Cons=1 Link=4 Relay=2", "Conflux=1 Link=4 Relay=2"},
	} {
		all := []string{"Link=4", "Relay=2", "Conflux=1", "Cons=1"}
		r := computeOf(t, tt.authorities, votesOf(tt.votes, func(i int, v *vote.Vote) {
			set := protover.MustParse(strings.Join(all[:min(len(all), tt.votes-i)], " "))
			v.RecommendedClient, v.RecommendedRelay, v.RequiredClient, v.RequiredRelay = set, set, set, set
		}))
		name := fmt.Sprintf("%d of %d", tt.votes, tt.authorities)
		wantLines(t, name, r.NSBody, "recommended-client-protocols", tt.recommended)
		wantLines(t, name, r.NSBody, "recommended-relay-protocols", tt.recommended)
		wantLines(t, name, r.NSBody, "required-client-protocols", tt.required)
		wantLines(t, name, r.NSBody, "required-relay-protocols", tt.required)
	}
}

func TestParams(t *testing.T) {
	for _, tt := range []struct {
		name        string
		authorities int
		votes       []params.List
		want        []string
	}{
		{"none", 3, []params.List{nil, nil, nil}, nil},
		{"majority", 3, []params.List{list("a", 1), list("a", 3), nil}, []string{"a=1"}},
		{"half", 4, []params.List{list("a", 1), list("a", 3), nil}, nil},
		{"three are enough", 9, []params.List{list("a", 5), list("a", -7), list("a", 6), list("b", 1), list("b", 1)}, []string{"a=5"}},
		{"lower median", 4, []params.List{list("a", 4), list("a", 3), list("a", 2), list("a", 1)}, []string{"a=2"}},
		{"order", 1, []params.List{list("a-b", 1, "a", 2, "aa", 3)}, []string{"a-b=1 a=2 aa=3"}},
	} {
		votes := votesOf(len(tt.votes), func(i int, v *vote.Vote) { v.Params = tt.votes[i] })
		for len(votes) <= tt.authorities/2 { // enough for a consensus
			votes = append(votes, votesOf(len(votes)+1, func(int, *vote.Vote) {})[len(votes)])
		}
		wantLines(t, tt.name, computeOf(t, tt.authorities, votes).NSBody, "params", tt.want...)
	}
}

// https://spec.torproject.org/srv-spec/specification.html
func TestSharedRandom(t *testing.T) {
	a, b := &consensus.SRV{Reveals: 3, Value: [32]byte{1}}, &consensus.SRV{Reveals: 4, Value: [32]byte{2}}
	const textA = "3 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, tt := range []struct {
		name    string
		current []*consensus.SRV // of each vote; all have the same previous one
		params  params.List
		change  func(c *tally.Config)
		want    []string
	}{
		{"all agree", []*consensus.SRV{a, a, a}, nil, nil, []string{textA}},
		{"majority", []*consensus.SRV{a, a, b, nil}, nil, func(c *tally.Config) { c.Authorities = 3 }, []string{textA}},
		{"half", []*consensus.SRV{a, a, b, b}, nil, nil, nil},
		{"fresh", []*consensus.SRV{a, a, a, a, b, b, b}, nil, func(c *tally.Config) { c.AgreedSRV = agree(true) }, []string{textA}},
		{"fresh, too few", []*consensus.SRV{a, a, a, a, a, b, b, b, b}, nil, func(c *tally.Config) { c.AgreedSRV = agree(true) }, nil},
		{"fresh, parameter", []*consensus.SRV{a, a, a, a, a, b, b, b, b}, list("AuthDirNumSRVAgreements", 5),
			func(c *tally.Config) { c.AgreedSRV = agree(true) }, []string{textA}},
		{"old, parameter", []*consensus.SRV{a, a, b}, list("AuthDirNumSRVAgreements", 3), nil, []string{textA}},
		{"fresh, high parameter", []*consensus.SRV{a, a, b}, list("AuthDirNumSRVAgreements", 3), func(c *tally.Config) { c.AgreedSRV = agree(true) }, nil},
		{"we take no part", []*consensus.SRV{a, a, a}, nil, func(c *tally.Config) { c.AgreedSRV = nil }, nil},
	} {
		votes := votesOf(len(tt.current), func(i int, v *vote.Vote) {
			v.Params = tt.params
			v.SharedRandom = &vote.SharedRandom{Previous: b, Current: tt.current[i]}
		})
		cfg := tally.Config{Authorities: len(votes), MinInterval: vote.MinInterval, AgreedSRV: agree(false)}
		if tt.change != nil {
			tt.change(&cfg)
		}
		if tt.name == "majority" {
			votes = votes[:3]
		}
		r, err := tally.Compute(votes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, tt.name, r.NSBody, "shared-rand-current-value", tt.want...)
		if n := len(lines(r.NSBody, "shared-rand-previous-value")); cfg.AgreedSRV != nil && n != 1 {
			t.Errorf("%s: %d previous values", tt.name, n)
		}
	}
}

func TestSources(t *testing.T) {
	r := compute(t, votesOf(2, func(i int, v *vote.Vote) {
		v.Source = consensus.DirSource{
			Nickname: fmt.Sprintf("n%d", i), Identity: [20]byte{byte(9 - i)}, Hostname: "host", Addr: validAddr, DirPort: 80, ORPort: 443,
			Contact: "me  you", VoteDigest: [20]byte{0xee},
		}
		if i == 0 {
			v.LegacyKey = [20]byte{1}
		}
	}))
	zeros := strings.Repeat("0", 38)
	wantLines(t, "sources", r.NSBody, "dir-source",
		"n0-legacy 01"+zeros+" host 192.0.2.1 80 443", "n1 08"+zeros+" host 192.0.2.1 80 443", "n0 09"+zeros+" host 192.0.2.1 80 443")
	wantLines(t, "sources", r.NSBody, "contact", "me  you", "me  you")
	wantLines(t, "sources", r.NSBody, "vote-digest", "EE"+zeros, "EE"+zeros)
}
