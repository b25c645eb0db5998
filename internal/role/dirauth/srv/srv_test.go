package srv

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/srstate"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// https://spec.torproject.org/srv-spec/specification.html
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/shared_random.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Encoding struct {
			Timestamp int64
			Random    string `json:"raw_random_ascii"`
			Reveal    string
			Commit    string
		}
		Compute struct{ Expect string } `json:"srv_compute"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	e := v.Encoding
	c := srstate.NewCommit([20]byte{}, time.Unix(e.Timestamp, 0), [32]byte([]byte(e.Random)))
	if c.Reveal != e.Reveal || c.Commit != e.Commit || !c.Opens() {
		t.Errorf("commit: got %+v, want %+v", c, e)
	}

	var commits []srstate.Commit
	for i, letter := range "ABCD" {
		c := srstate.Commit{Reveal: strings.Repeat(string(letter), srstate.TextLen)}
		for j := range c.Authority {
			c.Authority[j] = byte(letter)
		}
		c.Commit = srstate.NewCommit(c.Authority, time.Unix(0, 0), [32]byte{byte(i)}).Commit
		commits = append(commits, c)
	}
	commits[3].Reveal = ""
	// The vector is in order of authorities; what is sorted are the digests in the commits.
	slices.SortFunc(commits[:3], func(a, b srstate.Commit) int {
		x, y := a.Hash(), b.Hash()
		return slices.Compare(x[:], y[:])
	})
	for i, letter := range "ABC" {
		commits[i].Reveal = strings.Repeat(string(letter), srstate.TextLen)
		for j := range commits[i].Authority {
			commits[i].Authority[j] = byte(letter)
		}
	}
	slices.Reverse(commits)
	previous := &consensus.SRV{Value: [32]byte([]byte(strings.Repeat("Z", 32)))}
	got := Compute(commits, previous)
	if hex.EncodeToString(got.Value[:]) != v.Compute.Expect || got.Reveals != 3 {
		t.Errorf("value: got %d %x, want 3 %s", got.Reveals, got.Value, v.Compute.Expect)
	}
}

// TestNothing has the value that C tor 0.4.9.11 logs when it is started before the last vote of a run without a file.
func TestNothing(t *testing.T) {
	const want = "zxJao+gBmFMSezvz/VXkEWEQJD5b/z+7AXNCGoLFVW0="
	s := start(t, 1, 0, nil)
	if _, v := s.Values(); v == nil || v.Reveals != 0 || base64.StdEncoding.EncodeToString(v.Value[:]) != want {
		t.Errorf("got %+v, want %s", v, want)
	}
}

const interval = time.Hour

// run0 is the beginning of a run.
var run0 = time.Unix(1795651200, 0).UTC()

// round is vote n of the run that begins at run0.
func round(n int) Round { return Round{run0.Add(time.Duration(n) * interval), interval} }

func authority(n byte) [20]byte { return [20]byte{n} }

func config(n byte) Config {
	return Config{Identity: authority(n), Known: func(id [20]byte) bool { return id[0] < 9 }, Participate: true, Version: "1"}
}

// start is an authority that has just come up before vote n.
func start(t *testing.T, who byte, n int, file []byte) *State {
	t.Helper()
	s, err := New(config(who), file, round(n).current().Add(time.Minute), round(n), [32]byte{who, byte(n)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPhases(t *testing.T) {
	for n, want := range map[int]Phase{0: Commit, 11: Commit, 12: Reveal, 23: Reveal, 24: Commit, -1: Reveal} {
		if got := round(n).Phase(); got != want {
			t.Errorf("vote %d: got %v, want %v", n, got, want)
		}
	}
	short := Round{run0.Add(25 * time.Minute), 10 * time.Second}
	if got := short.slot(short.ValidAfter); got != 150%24 {
		t.Errorf("slot of a test network: got %d", got)
	}
}

// TestRuns lets authorities go through runs. Each of them is restarted at every moment, and one never is.
func TestRuns(t *testing.T) {
	const authorities = 3
	var states []*State
	for i := range byte(authorities) {
		states = append(states, start(t, i, 3, nil))
	}
	restart := func(i, n int) {
		if i > 0 {
			states[i] = start(t, byte(i), n, states[i].File(run0))
		}
	}
	commits := map[int64]string{} // by run and authority
	for n := 3; n < 24*3+6; n++ {
		if n == 24 || n == 48 || n == 72 {
			for i, s := range states {
				if _, v := s.Values(); v == nil || v.Reveals != authorities {
					t.Errorf("vote %d, authority %d: value %v", n, i, v)
				}
			}
		}
		var votes []*vote.SharedRandom
		for i := range states {
			restart(i, n)
			c := states[i].commits[authority(byte(i))]
			key := int64(n/24)<<8 | int64(i)
			if commits[key] == "" {
				commits[key] = c.Commit
			}
			if commits[key] != c.Commit {
				t.Fatalf("vote %d: authority %d committed twice in a run", n, i)
			}
			votes = append(votes, parseLines(t, voteText(t, states[i])))
		}
		for i := range states {
			for from := range states {
				commits := parseLines(t, voteText(t, states[from])).Commits
				if errs := states[i].Receive(authority(byte(from)), commits); errs != nil {
					t.Errorf("vote %d, from %d to %d: %v", n, from, i, errs)
				}
				restart(i, n)
			}
		}
		want := ""
		for i, s := range states {
			previous, current := s.Agreed(votes, authorities, 2)
			if n >= 24 && current == nil || n >= 48 && previous == nil {
				t.Fatalf("vote %d: authority %d has no values", n, i)
			}
			if i == 1 && n%5 == 0 {
				s.Update(round(n+1), [32]byte{byte(i), byte(n)}) // it missed the consensus
			} else {
				s.Published(previous, current, round(n+1), [32]byte{byte(i), byte(n)})
			}
			restart(i, n+1)
			_, text, _ := strings.Cut(fileText(s), "SharedRand")
			if want == "" {
				want = text
			}
			if text != want {
				t.Fatalf("after vote %d: authority %d has\n%s, want\n%s", n, i, text, want)
			}
		}
	}
	if len(commits) != 4*authorities {
		t.Errorf("%d commits", len(commits))
	}
}

func TestReceive(t *testing.T) {
	theirs := srstate.NewCommit(authority(2), run0, [32]byte{2})
	other := srstate.NewCommit(authority(2), run0, [32]byte{3})
	sealed, mixed, late := theirs, theirs, theirs
	sealed.Reveal, mixed.Reveal = "", other.Reveal
	late.Reveal = srstate.NewCommit(authority(2), run0.Add(time.Second), [32]byte{2}).Reveal
	otherSealed := other
	otherSealed.Reveal = ""
	unknown := srstate.NewCommit(authority(99), run0, [32]byte{2})
	unknown.Reveal = ""
	for _, tc := range []struct {
		name  string
		phase Phase
		have  []srstate.Commit
		voter byte
		got   srstate.Commit
		err   error
		want  []srstate.Commit
	}{
		{"commit", Commit, nil, 2, sealed, nil, []srstate.Commit{sealed}},
		{"commit of another authority", Commit, nil, 3, sealed, nil, nil},
		{"unknown authority", Commit, nil, 99, unknown, ErrForeign, nil},
		{"commit again", Commit, []srstate.Commit{sealed}, 2, sealed, nil, []srstate.Commit{sealed}},
		{"altered commit", Commit, []srstate.Commit{sealed}, 2, otherSealed, ErrAltered, []srstate.Commit{sealed}},
		{"early reveal", Commit, nil, 2, theirs, ErrRevealed, nil},
		{"early reveal of a known commit", Commit, []srstate.Commit{sealed}, 2, theirs, nil, []srstate.Commit{sealed}},
		{"reveal", Reveal, []srstate.Commit{sealed}, 2, theirs, nil, []srstate.Commit{theirs}},
		{"reveal again", Reveal, []srstate.Commit{theirs}, 2, theirs, nil, []srstate.Commit{theirs}},
		{"no reveal", Reveal, []srstate.Commit{sealed}, 2, sealed, nil, []srstate.Commit{sealed}},
		{"reveal without commit", Reveal, nil, 2, theirs, ErrLate, nil},
		{"reveal of an altered commit", Reveal, []srstate.Commit{sealed}, 2, other, ErrAltered, []srstate.Commit{sealed}},
		{"reveal of another number", Reveal, []srstate.Commit{sealed}, 2, mixed, ErrNotOpened, []srstate.Commit{sealed}},
		{"reveal of another time", Reveal, []srstate.Commit{sealed}, 2, late, ErrNotOpened, []srstate.Commit{sealed}},
		{"reveal by another authority", Reveal, []srstate.Commit{sealed}, 3, theirs, nil, []srstate.Commit{sealed}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, 1, 5, nil)
			clear(s.commits)
			for _, c := range tc.have {
				s.commits[c.Authority] = c
			}
			s.phase = tc.phase
			s.File(run0)
			errs := s.Receive(authority(tc.voter), []srstate.Commit{tc.got})
			if !errors.Is(errors.Join(errs...), tc.err) {
				t.Errorf("got error %v, want %v", errs, tc.err)
			}
			if diff := cmp.Diff(tc.want, s.known()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if changed := !cmp.Equal(tc.have, tc.want); s.Changed() != changed {
				t.Errorf("changed: got %v, want %v", s.Changed(), changed)
			}
		})
	}
}

func TestStart(t *testing.T) {
	run := start(t, 1, 20, nil) // too late for a commit
	if len(run.commits) != 0 {
		t.Error("committed in the reveal phase")
	}
	theirs := srstate.NewCommit(authority(2), run0, [32]byte{2})
	run.commits[theirs.Authority] = theirs
	run.current = &consensus.SRV{Reveals: 5}
	want := Compute([]srstate.Commit{theirs}, run.current)

	s := start(t, 1, 24, run.File(run0)) // C tor takes the file for too old here
	if previous, current := s.Values(); previous == nil || previous.Reveals != 5 || current == nil || *current != want || !s.fresh {
		t.Errorf("restarted before the last vote: %v, %v, fresh %v", previous, current, s.fresh)
	}
	if len(s.commits) != 1 || s.commits[authority(1)].Commit == "" {
		t.Errorf("new run: commits %v", s.commits)
	}
	s = start(t, 1, 24, s.File(run0))
	if !s.fresh {
		t.Error("restarted after it: value is not known to be new")
	}

	old := start(t, 1, 0, nil) // in the commit phase
	mine := old.commits[authority(1)]
	file := old.File(run0)
	if s := start(t, 1, 1, file); s.commits[authority(1)] != mine {
		t.Error("another commit in the same run")
	}
	if s := start(t, 1, 12, file); s.commits[authority(1)] != mine || s.Phase() != Reveal {
		t.Error("no reveal after a restart")
	}
	// As C tor has it for an authority that began after the first vote: good until the end of the run, with commits of it.
	file = []byte(strings.Replace(string(file), "ValidUntil 2026-11-26 23", "ValidUntil 2026-11-27 00", 1))
	if s := start(t, 1, 24, file); s.commits[authority(1)] == mine || len(s.commits) != 1 || !cmp.Equal(s.current, old.current) {
		t.Errorf("down from one commit phase to the next: %v", s.commits)
	}

	for name, tc := range map[string]struct {
		file string
		err  error
	}{
		"old":        {string(start(t, 1, 3, nil).File(run0)), ErrExpired},
		"version":    {strings.Replace(string(file), "Version 1\n", "Version 2\n", 2), ErrVersion},
		"no version": {"ValidAfter 2026-11-26 00:00:00\n", ErrVersion},
		"times":      {strings.Replace(string(start(t, 1, 30, nil).File(run0)), "ValidAfter 2026-11-27", "ValidAfter 2026-12-27", 1), ErrExpired},
	} {
		s, err := New(config(1), []byte(tc.file), round(30).current(), round(30), [32]byte{7})
		if !errors.Is(err, tc.err) || len(s.commits) != 1 {
			t.Errorf("%s: got error %v, commits %v", name, err, s.commits)
		}
	}
	if s, err := New(config(1), []byte("\x00"), round(30).current(), round(30), [32]byte{7}); err == nil || len(s.commits) != 1 {
		t.Errorf("damaged: got error %v, commits %v", err, s.commits)
	}
}

// https://spec.torproject.org/srv-spec/specification.html
func TestAgreed(t *testing.T) {
	srv := func(n byte) *consensus.SRV { return &consensus.SRV{Reveals: 9, Value: [32]byte{n}} }
	values := func(n ...byte) (votes []*vote.SharedRandom) {
		for _, n := range n {
			v := &vote.SharedRandom{Previous: srv(100)}
			if n > 0 {
				v.Current = srv(n)
			}
			votes = append(votes, v)
		}
		return votes
	}
	s := start(t, 1, 5, nil)
	for _, tc := range []struct {
		name       string
		votes      []*vote.SharedRandom
		agreements int
		fresh      bool
		want       *consensus.SRV
	}{
		{"none", nil, 6, false, nil},
		{"half and one", values(1, 1, 1, 1, 1, 2, 2, 2, 2), 6, false, srv(1)},
		{"half", values(1, 1, 1, 1, 2, 2, 2, 2, 0), 6, false, nil},
		{"new, too few", values(1, 1, 1, 1, 1, 2, 2, 2, 2), 6, true, nil},
		{"new", values(2, 1, 1, 1, 1, 1, 1, 2, 2), 6, true, srv(1)},
		{"new, low parameter", values(1, 1, 1, 1), 1, true, nil},
		{"majority of all, not of those that voted", values(1, 1, 1, 1), 6, false, nil},
	} {
		s.fresh = tc.fresh
		if _, got := s.Agreed(tc.votes, 9, tc.agreements); !cmp.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
	silent := values(1, 1, 1, 1, 1)
	silent[0] = nil
	s.fresh = false
	if _, got := s.Agreed(silent, 9, 6); got != nil {
		t.Errorf("a vote that does not take part counts: %v", got)
	}
	s.cfg.Participate = false
	if previous, current := s.Agreed(values(1, 1, 1, 1, 1), 9, 1); previous != nil || current != nil || voteText(t, s) != "" {
		t.Error("took part")
	}
}
