package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

const stateFile = "state"

// state is the `state` file, in C tor's format. It alone writes that file. What it does not know in there, it keeps.
type state struct {
	store statefile.Store
	log   *slog.Logger
	now   func() time.Time
	wake  chan struct{} // holds a token when there is something to save

	mu    sync.Mutex // guards the fields below
	doc   *statedoc.Document
	dirty bool
}

func openState(e env.Env) (*state, error) {
	s := &state{store: e.State, log: e.Log, now: e.Now, wake: make(chan struct{}, 1)}
	text, err := e.State.Read(stateFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the state file: %w", err)
	}
	if s.doc, err = statedoc.Parse(text); err != nil {
		return nil, fmt.Errorf("state file: %w; mend the line, or move the file away and lose the guards", err)
	}
	return s, nil
}

// change runs f on the document and has it saved soon.
func (s *state) change(f func(*statedoc.Document)) {
	s.mu.Lock()
	f(s.doc)
	s.dirty = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// read runs f on the document, which f must not change.
func (s *state) read(f func(*statedoc.Document)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.doc)
}

// saveDelay gathers changes that come together into one write.
const saveDelay = time.Second

// run saves the document a moment after each change, until ctx ends.
func (s *state) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(saveDelay):
		}
		s.save()
	}
}

// save writes the document if it has changed. If that fails, the next change tries again.
func (s *state) save() {
	s.mu.Lock()
	if !s.dirty {
		s.mu.Unlock()
		return
	}
	s.doc.Stamp(s.now(), "Tor "+CompatVersion+" (tropea-"+Version+")")
	text := s.doc.AppendTo(nil)
	s.dirty = false
	s.mu.Unlock()
	if err := s.store.WriteWhole(stateFile, text); err != nil {
		s.log.Warn("cannot write the state file", "err", err)
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
	}
}
