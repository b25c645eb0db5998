package srv

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/srstate"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// recorded is a round of testdata/ctor-run.txt.
type recorded struct {
	at            time.Time
	before, after string
	votes         map[[20]byte]string
	consensus     string
}

func readRun(t *testing.T) (own [20]byte, rounds []*recorded) {
	t.Helper()
	data, err := os.ReadFile("testdata/ctor-run.txt")
	if err != nil {
		t.Fatal(err)
	}
	var into *string
	var voter [20]byte
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var r *recorded
		if len(rounds) > 0 {
			r = rounds[len(rounds)-1]
		}
		switch word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); word {
		case "authority":
			own = id(t, rest)
		case "round":
			rounds = append(rounds, &recorded{at: at(t, rest), votes: map[[20]byte]string{}})
		case "before":
			into = &r.before
		case "after":
			into = &r.after
		case "consensus":
			into = &r.consensus
		case "vote":
			voter, into = id(t, rest), nil
		default:
			if into == nil {
				r.votes[voter] += line
			} else {
				*into += line
			}
		}
	}
	return own, rounds
}

func id(t testing.TB, s string) (id [20]byte) {
	t.Helper()
	if err := netdoc.ParseHex(id[:], []byte(s)); err != nil {
		t.Fatal(err)
	}
	return id
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(netdoc.TimeLayout, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// parseLines reads the lines of shared randomness of a vote or consensus; nil if a vote has none.
func parseLines(t *testing.T, text string) *vote.SharedRandom {
	t.Helper()
	if text == "" {
		return nil
	}
	v := new(vote.SharedRandom)
	s := netdoc.NewScanner([]byte(text), netdoc.Options{})
	for s.Next() {
		var err error
		switch it := s.Item(); string(it.Keyword) {
		case "shared-rand-participate":
		case "shared-rand-commit":
			var c srstate.Commit
			c, err = srstate.ParseCommit(string(it.Args))
			v.Commits = append(v.Commits, c)
		case "shared-rand-previous-value":
			v.Previous, err = consensus.ParseSRV(it.Args)
		default:
			v.Current, err = consensus.ParseSRV(it.Args)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return v
}

func voteText(t *testing.T, s *State) string {
	t.Helper()
	e := netdoc.NewEncoder(nil)
	s.Vote().Encode(e)
	text, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fileText is the file without the comment at its top.
func fileText(s *State) string {
	_, text, _ := strings.Cut(string(s.File(time.Unix(0, 0).UTC())), "\n\n")
	return text
}

// TestAgainstCTor goes through two runs as an authority that is C tor did, and wants the same file, votes and consensus.
// https://spec.torproject.org/srv-spec/
func TestAgainstCTor(t *testing.T) {
	own, rounds := readRun(t)
	known := func(id [20]byte) bool { return rounds[0].votes[id] != "" }
	cfg := Config{Identity: own, Known: known, Participate: true, Version: "0.4.9.11"}
	random := [32]byte{1}
	next := func(i int) Round { return Round{rounds[i].at, 10 * time.Second} }
	s, err := New(cfg, []byte(rounds[0].before), rounds[0].at.Add(-time.Second), next(0), random)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rounds {
		t.Logf("round %v, phase %v", r.at, s.Phase())
		f, err := srstate.Parse([]byte(r.before))
		if err != nil {
			t.Fatal(err)
		}
		if c, made := s.commits[own], srstate.NewCommit(own, r.at, random); c == made {
			// A new commit: its time is known, its number is not.
			was := f.Commits[slices.IndexFunc(f.Commits, func(c srstate.Commit) bool { return c.Authority == own })]
			if c.Commit[:10] != was.Commit[:10] {
				t.Errorf("time of commit: got %s, want %s", c.Commit, was.Commit)
			}
			s.commits[own] = was
		}
		if diff := cmp.Diff(r.before, fileText(s)); diff != "" {
			t.Fatalf("prepared (-C tor +ours):\n%s", diff)
		}
		// C tor may have got votes before its own. Then there is an order of votes in which ours becomes the same.
		voters := slices.SortedFunc(maps.Keys(r.votes), func(a, b [20]byte) int { return bytes.Compare(a[:], b[:]) })
		votes := []*vote.SharedRandom{}
		var ours []string
		for range 2 {
			trial := *s
			trial.commits = maps.Clone(s.commits)
			ours = append(ours, voteText(t, &trial))
			for _, voter := range voters {
				trial.Receive(voter, parseLines(t, r.votes[voter]).Commits)
				ours = append(ours, voteText(t, &trial))
			}
			slices.Reverse(voters)
		}
		if !slices.Contains(ours, r.votes[own]) {
			t.Errorf("vote: got one of %q, want %q", ours, r.votes[own])
		}
		for _, voter := range voters {
			v := parseLines(t, r.votes[voter])
			if errs := s.Receive(voter, v.Commits); errs != nil {
				t.Error(errs)
			}
			votes = append(votes, v)
		}
		if diff := cmp.Diff(r.after, fileText(s)); diff != "" {
			t.Fatalf("with all votes (-C tor +ours):\n%s", diff)
		}
		var want vote.SharedRandom
		if r.consensus != "" {
			want = *parseLines(t, r.consensus)
		}
		previous, current := s.Agreed(votes, 3, 2)
		if diff := cmp.Diff(want, vote.SharedRandom{Previous: previous, Current: current}); diff != "" {
			t.Errorf("consensus (-C tor +ours):\n%s", diff)
		}
		if i+1 < len(rounds) {
			s.Published(previous, current, next(i+1), random)
		}
	}
}
