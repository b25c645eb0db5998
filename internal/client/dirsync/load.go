package dirsync

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// load takes in what an earlier run left on disk. Only a directory that cannot be read is an error: documents that are
// damaged, too old or not wanted any more are left alone, and downloaded anew.
func (s *Sync) load(now time.Time) error {
	certs, err := s.store.Read(dirstore.FileCerts)
	if err != nil {
		return fmt.Errorf("reading the directory cache: %w", err)
	}
	keepAll := func(consensus.KeyID) bool { return s.mirror != nil }
	if _, err := s.addCerts(certs, keepAll); err != nil {
		s.log.Debug("cached certificate left out", "err", err)
	}
	if err := s.loadMirror(); err != nil {
		return fmt.Errorf("reading the directory cache: %w", err)
	}
	if s.journal, err = s.store.JournalLen(); err != nil {
		return fmt.Errorf("reading the directory cache: %w", err)
	}
	for _, t := range s.tracks {
		for _, name := range []string{t.file, t.unverified} {
			text, err := s.store.Read(name)
			if err != nil {
				return fmt.Errorf("reading the directory cache: %w", err)
			}
			if text == nil {
				continue
			}
			if err := s.judge(t, text, source{}, name == t.file, now); err != nil {
				s.log.Debug("cached consensus left out", "file", name, "err", err)
				if name == t.unverified && !errors.Is(err, ErrFuture) {
					s.removeUnverified(t)
				}
			}
		}
	}
	s.loadSigned()
	return nil
}

// loadMicrodescs takes in the cached microdescriptors that the consensus lists and that are not in memory.
func (s *Sync) loadMicrodescs() {
	missing := make(map[[32]byte]bool)
	for _, d := range s.view.Missing() {
		missing[d] = true
	}
	if len(missing) == 0 {
		return
	}
	err := s.store.ReadMicrodescs(func(m microdesc.Entry) {
		d := sha256.Sum256(m.Text)
		if !missing[d] {
			return
		}
		if md, err := microdesc.Parse(m.Text, s.intern); err == nil {
			s.mds[d] = &md
			delete(missing, d)
		}
	})
	if err != nil {
		s.log.Warn("cannot read the directory cache", "err", err)
	}
	s.view = s.view.With(s.lookup)
}

// A ProtocolsError says that the network demands more than this version can do.
type ProtocolsError struct {
	Of      string // "clients" or "relays"
	Missing protover.Set
}

func (e *ProtocolsError) Error() string {
	return fmt.Sprintf("this version is too old for the network, which requires of %s: %v; please upgrade", e.Of, e.Missing.String())
}

// ShutOut returns a ProtocolsError if a consensus requires what this version, as one of many clients or relays, does not have.
// One from before this version was made cannot: its authors knew that network.
//
// https://spec.torproject.org/tor-spec/subprotocol-versioning.html
func ShutOut(validAfter time.Time, of string, own, required *protover.Set) error {
	if validAfter.Before(releaseDate) {
		return nil
	}
	if missing := own.Missing(required); !missing.IsEmpty() {
		return &ProtocolsError{of, missing}
	}
	return nil
}

// fatal tells whether the consensus shuts this version out.
func (s *Sync) fatal() error {
	if s.md.current == nil {
		return nil
	}
	return ShutOut(s.md.current.ValidAfter, "clients", &clientProtocols, &s.md.current.RequiredClient)
}

// releaseDate is when the protocols below were looked at last.
var releaseDate = time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)

// clientProtocols is what this version can do as a client.
var clientProtocols = protover.MustParse("Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 Microdesc=1-3 Padding=2 Relay=2-4")
