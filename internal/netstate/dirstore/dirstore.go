// Package dirstore keeps directory documents on disk, in the files and formats of C tor's cache directory: whoever
// changes from the one program to the other starts with a warm cache.
package dirstore

import (
	"errors"
	"io/fs"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// The files, as C tor names them.
const (
	FileCerts                 = "cached-certs"
	FileConsensus             = "cached-microdesc-consensus"
	FileUnverifiedConsensus   = "unverified-microdesc-consensus"
	FileNSConsensus           = "cached-consensus"
	FileUnverifiedNSConsensus = "unverified-consensus"
	FileMicrodescs            = "cached-microdescs"
	FileMicrodescJournal      = "cached-microdescs.new"
)

// A Store reads and writes the documents. One goroutine uses it.
type Store struct {
	Files statefile.Store
}

// Read returns a document, nil if there is none.
func (s *Store) Read(name string) ([]byte, error) {
	b, err := s.Files.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Write replaces a document.
func (s *Store) Write(name string, text []byte) error { return s.Files.WriteWhole(name, text) }

// Remove deletes a document, if it is there.
func (s *Store) Remove(name string) error {
	if err := s.Files.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// appendMicrodesc appends a microdescriptor with its annotation.
func appendMicrodesc(dst []byte, m microdesc.Entry) []byte {
	if !m.LastListed.IsZero() {
		dst = microdesc.AppendLastListed(dst, m.LastListed)
	}
	return append(dst, m.Text...)
}

// AddMicrodescs appends microdescriptors to the journal.
func (s *Store) AddMicrodescs(list []microdesc.Entry) error {
	var b []byte
	for _, m := range list {
		b = appendMicrodesc(b, m)
	}
	if len(b) == 0 {
		return nil
	}
	return s.Files.Append(FileMicrodescJournal, b)
}

// JournalLen returns the length of the journal of microdescriptors, in bytes.
func (s *Store) JournalLen() (int, error) { return s.size(FileMicrodescJournal) }

// size returns the length of a file, 0 if there is none.
func (s *Store) size(name string) (int, error) {
	text, done, err := s.Files.Map(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	done()
	return len(text), nil
}

// ReadMicrodescs calls each for every microdescriptor of the cache and then of its journal. What it gets aliases the file
// and is valid during the call only. Damaged parts are left out: their digests will be asked for again.
func (s *Store) ReadMicrodescs(each func(microdesc.Entry)) error {
	return s.each([]string{FileMicrodescs, FileMicrodescJournal}, func(text []byte) {
		for m := range microdesc.Split(text) {
			each(m)
		}
	})
}

// each calls f for the contents of each file that is there.
func (s *Store) each(names []string, f func(text []byte)) error {
	for _, name := range names {
		text, done, err := s.Files.Map(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		f(text)
		done()
	}
	return nil
}

// RebuildMicrodescs rewrites the cache with those that keep approves, and empties the journal. keep returns the time to
// note as last listed. A kill between both steps leaves some in both files, which does no harm.
func (s *Store) RebuildMicrodescs(keep func(text []byte, lastListed time.Time) (time.Time, bool)) error {
	var out []byte
	err := s.ReadMicrodescs(func(m microdesc.Entry) {
		if at, ok := keep(m.Text, m.LastListed); ok {
			out = appendMicrodesc(out, microdesc.Entry{Text: m.Text, LastListed: at})
		}
	})
	if err != nil {
		return err
	}
	if err := s.Files.WriteWhole(FileMicrodescs, out); err != nil {
		return err
	}
	return s.Remove(FileMicrodescJournal)
}
