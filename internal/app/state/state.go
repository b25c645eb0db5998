// Package state keeps the `state` file of a node, which several of its parts share.
package state

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

const fileName = "state"

// A File is the state file, in C tor's format. It alone writes that file. What it does not know in there, it keeps. Its
// methods are safe for concurrent use.
type File struct {
	store   statefile.Store
	program string
	log     *slog.Logger
	now     func() time.Time
	wake    chan struct{} // holds a token when there is something to save
	saving  sync.Mutex    // one write at a time

	mu    sync.Mutex // guards the fields below
	doc   *statedoc.Document
	dirty bool
}

// Open reads the state file of e.State. program is what it will say has written it.
func Open(e env.Env, program string) (*File, error) {
	s := &File{store: e.State, program: program, log: e.Log, now: e.Now, wake: make(chan struct{}, 1)}
	text, err := e.State.Read(fileName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the state file: %w", err)
	}
	if s.doc, err = statedoc.Parse(text); err != nil {
		return nil, fmt.Errorf("state file: %w; mend the line, or move the file away and lose the guards", err)
	}
	return s, nil
}

// Change runs f on the document and has it saved soon.
func (s *File) Change(f func(*statedoc.Document)) {
	s.mu.Lock()
	f(s.doc)
	s.dirty = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Read runs f on the document, which f must not change.
func (s *File) Read(f func(*statedoc.Document)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.doc)
}

// saveDelay gathers changes that come together into one write.
const saveDelay = time.Second

// Run saves the document a moment after each change, until ctx ends.
func (s *File) Run(ctx context.Context) {
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
		s.Save()
	}
}

// Save writes the document if it has changed. If that fails, the next change tries again.
func (s *File) Save() {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	if !s.dirty {
		s.mu.Unlock()
		return
	}
	s.doc.Stamp(s.now(), s.program)
	text := s.doc.AppendTo(nil)
	s.dirty = false
	s.mu.Unlock()
	if err := s.store.WriteWhole(fileName, text); err != nil {
		s.log.Warn("cannot write the state file", "err", err)
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
	}
}
