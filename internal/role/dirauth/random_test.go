package dirauth

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dirauth/srv"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// An authority that is started again, even in the midst of a run, keeps to the number that it has committed to.
//
// https://spec.torproject.org/srv-spec/
func TestSharedRandomRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := new(statefile.Mem)
		id := [20]byte{7}
		begin := func(validAfter time.Time) *SharedRandom {
			r := NewRandom(slog.New(slog.DiscardHandler), files, time.Now, srv.Config{
				Identity: id, Participate: true, Version: "test", Known: func(x [20]byte) bool { return x == id },
			}, func() time.Duration { return time.Hour })
			if s := r.Vote(validAfter); s != nil {
				t.Errorf("it votes before it has begun: %+v", s)
			}
			r.Begin(validAfter)
			return r
		}
		at := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		var commit string
		for range 20 {
			time.Sleep(time.Until(at.Add(-5 * time.Minute)))
			r := begin(at)
			s := r.Vote(at)
			if s == nil || len(s.Commits) != 1 {
				t.Fatalf("vote of %v: %+v", at, s)
			}
			if commit == "" {
				commit = s.Commits[0].Commit
			}
			if s.Commits[0].Commit != commit {
				t.Fatalf("vote of %v: another commit than before", at)
			}
			if s.Reveal != (at.Hour() >= 12) {
				t.Errorf("vote of %v: reveal told: %v", at, s.Reveal)
			}
			at = at.Add(time.Hour)
		}
	})
}

// What cannot be saved is not voted on: it would be forgotten.
func TestSharedRandomUnsaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := [20]byte{7}
		r := NewRandom(slog.New(slog.DiscardHandler), broken{new(statefile.Mem)}, time.Now, srv.Config{
			Identity: id, Participate: true, Version: "test", Known: func([20]byte) bool { return true },
		}, func() time.Duration { return time.Hour })
		at := time.Now().Truncate(time.Hour).Add(time.Hour)
		r.Begin(at)
		if s := r.Vote(at); s != nil {
			t.Errorf("%+v", s)
		}
		r.Received(&vote.Vote{})
	})
}

// broken is a disk that takes nothing.
type broken struct{ *statefile.Mem }

func (broken) WriteWhole(string, []byte) error { return errFewSignatures }
