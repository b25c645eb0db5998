package voteoracle

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// TestRecord records a scenario again. What the time decides is another, all else must be the same.
func TestRecord(t *testing.T) {
	ctor.Require(t, "tor")
	t.Parallel()
	bin, err := ctor.Find("tor")
	if err != nil {
		t.Fatal(err)
	}
	p := replayed(t)
	want, err := Read(p.Name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRecorder(t.Context(), bin, t.TempDir(), p.Authorities, p.Self, p.FreshSRV)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := r.Record(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(timeless(want.NS), timeless(got.NS)); diff != "" {
		t.Errorf("consensus of flavor ns (-recorded +now):\n%s", diff)
	}
	if diff := cmp.Diff(timeless(want.Microdesc), timeless(got.Microdesc)); diff != "" {
		t.Errorf("consensus of flavor microdesc (-recorded +now):\n%s", diff)
	}
	// On a busy machine C tor may have missed a consensus before, and told of it what it tells again.
	for _, note := range want.Notes {
		if !slices.Contains(got.Notes, note) {
			t.Errorf("no note %q in %q", note, got.Notes)
		}
	}
}

// replayed is the plan that takes all things in dispute, and in which nothing is C tor's own.
func replayed(t *testing.T) *Plan {
	for _, p := range Plans() {
		if strings.HasPrefix(p.Name, "everything-methods") && !p.OwnVote {
			return &p
		}
	}
	t.Fatal("no plan")
	return nil
}

// timeless are the lines of a consensus that do not depend on the time: neither its times nor digests of votes.
func timeless(consensus []byte) []string {
	var lines []string
	for line := range strings.Lines(string(consensus)) {
		switch keyword, _, _ := strings.Cut(line, " "); keyword {
		case "valid-after", "fresh-until", "valid-until", "vote-digest":
		default:
			lines = append(lines, line)
		}
	}
	return lines
}
