package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/app/onion"
	"github.com/tropea-net/tropea/internal/crypt/vanity"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// huntFlags are the flags of "vanity".
type huntFlags struct {
	dir, state string
	threads    int
	every      time.Duration
}

func (t *onionTool) huntFlags(fs *flag.FlagSet) {
	fs.StringVar(&t.hunt.dir, "dir", "", "make this `directory`, not one that is called as the address")
	fs.StringVar(&t.hunt.state, "state", "", "keep in this `file` how far the search has come, and go on from there (default tropea-vanity-PREFIX)")
	fs.IntVar(&t.hunt.threads, "threads", runtime.GOMAXPROCS(0), "search on so many cores")
	fs.DurationVar(&t.hunt.every, "progress", 10*time.Second, "tell so often how far it has come")
}

// vanity is "vanity".
func (t *onionTool) vanity(ctx context.Context) error {
	m, err := vanity.Compile(t.args...)
	if err != nil {
		return err
	}
	if t.hunt.threads < 1 || t.hunt.every < time.Millisecond {
		return errors.New("--threads and --progress must be more than nothing")
	}
	if t.hunt.dir != "" {
		if err := onion.Vacant(t.hunt.dir); err != nil {
			return err
		}
	}
	if t.hunt.state == "" {
		t.hunt.state = "tropea-vanity-" + m.Prefixes()[0]
	}
	state := looseFile(t.hunt.state)
	before, err := t.progress(state, m)
	if err != nil {
		return err
	}
	if err := save(state, before); err != nil { // now, and not after days
		return err
	}
	t.note("Searching for %s on %d cores: one key in %s has such an address.", strings.Join(m.Prefixes(), ", "), t.hunt.threads, count(m.Tries()))
	if before.Tries > 0 {
		t.note("Until now %s keys in %v.", count(float64(before.Tries)), before.Spent.Round(time.Second))
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	hunt := onion.Hunt{Matcher: m, Threads: t.hunt.threads, Before: before, Every: t.hunt.every, Log: t.log}
	hunt.Report = func(p onion.Progress, rate float64) {
		t.note("%s keys, %s a second; %.0f%% of all searches would have ended by now; expect %s more.",
			count(float64(p.Tries)), count(rate), 100*(1-math.Exp(-float64(p.Tries)/m.Tries())), wait(m.Tries()/rate))
		if err := save(state, p); err != nil {
			t.note("Cannot write %s: %v", state, err)
		}
	}
	s, p, err := hunt.Run(ctx)
	if err != nil {
		saveErr := save(state, p)
		if errors.Is(err, context.Canceled) && saveErr == nil {
			t.note("Stopped after %s keys. The same command goes on; as a search has no memory, nothing is lost.", count(float64(p.Tries)))
			return errSaid
		}
		return errors.Join(err, saveErr)
	}
	defer s.Key.Wipe()
	if err := t.installFound(s); err != nil {
		return err
	}
	t.note("Found after %s keys in %v.", count(float64(p.Tries)), p.Spent.Round(time.Millisecond))
	if err := os.Remove(string(state)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// installFound makes the directory in the first place that takes it: the key may have cost days.
func (t *onionTool) installFound(s *onion.Service) (err error) {
	name := s.Address().String()
	for _, dir := range []string{t.hunt.dir, name, filepath.Join(os.TempDir(), name)} {
		if dir == "" {
			continue
		}
		if err = t.install(s, dir); err == nil {
			return nil
		}
		t.note("Cannot make %s: %v", dir, safelog.RevealText(err))
	}
	return err
}

// progress reads how far earlier runs have come.
func (t *onionTool) progress(state looseFile, m *vanity.Matcher) (p onion.Progress, err error) {
	b, err := state.Read()
	if err == nil && b != nil {
		p, err = onion.ParseProgress(b, m)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; remove it, or name another file with --state", state, err)
	}
	return p, err
}

// save writes how far a search has come.
func save(state looseFile, p onion.Progress) error {
	b, err := p.AppendTo(nil)
	if err != nil {
		return err
	}
	return state.Write(b)
}

// count says how many, in words where there are many.
func count(n float64) string {
	for _, u := range []struct {
		name string
		n    float64
	}{{"trillion", 1e12}, {"billion", 1e9}, {"million", 1e6}} {
		if n >= u.n {
			return fmt.Sprintf("%.4g %s", n/u.n, u.name)
		}
	}
	return fmt.Sprintf("%.0f", n)
}

// wait says how long seconds are, in the unit that people use for so long a time.
func wait(seconds float64) string {
	for _, u := range []struct {
		name string
		n    float64
	}{{"years", 365.25 * 86400}, {"days", 86400}, {"hours", 3600}, {"minutes", 60}} {
		if seconds >= 2*u.n {
			return fmt.Sprintf("%.3g %s", seconds/u.n, u.name)
		}
	}
	return fmt.Sprintf("%.3g seconds", seconds)
}
