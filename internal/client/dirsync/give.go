package dirsync

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// ErrEnded is why a Sync takes nothing any more.
var ErrEnded = errors.New("the directory is not kept any more")

// GiveConsensus takes in a consensus that this node, an authority, has made together with others. It is checked like one from a
// server, but for its time, which may begin a moment later.
func (s *Sync) GiveConsensus(text []byte) error {
	err := ErrEnded
	s.ask(func(now time.Time) {
		for _, t := range s.tracks {
			if err = s.judge(t, text, source{}, false, now); !errors.Is(err, ErrNotWanted) {
				return
			}
		}
	})
	return err
}

// GiveCerts takes in certificates of authorities.
func (s *Sync) GiveCerts(texts ...[]byte) {
	s.ask(func(time.Time) {
		var all []byte
		for _, text := range texts {
			all = append(all, text...)
		}
		if err := s.takeCerts(all, nil); err != nil && !errors.Is(err, errIncomplete) {
			s.log.Warn("A certificate of an authority is no good", "err", err)
		}
	})
}

// GiveMicrodescs takes in microdescriptors that consensuses may list.
func (s *Sync) GiveMicrodescs(texts [][]byte, at time.Time) {
	s.ask(func(time.Time) {
		given := make(map[[32]byte]bool, len(texts))
		var fresh []microdesc.Entry
		for _, text := range texts {
			d := sha256.Sum256(text)
			if !given[d] && !s.given[d] && s.mds[d] == nil {
				fresh = append(fresh, microdesc.Entry{Text: text, LastListed: at})
			}
			given[d] = true
		}
		s.given = given
		if len(fresh) == 0 {
			return
		}
		if err := s.store.AddMicrodescs(fresh); err != nil {
			s.log.Warn("cannot write to the directory cache", "err", err)
		}
		for _, m := range fresh {
			s.journal += len(m.Text)
		}
		s.mirror.addMicrodescs(fresh)
	})
}

// GiveRouter takes in the descriptor of a relay.
func (s *Sync) GiveRouter(d *routerdesc.Descriptor) {
	s.give(func(m *mirror) (*signedFetch, dirstore.Signed) {
		m.Sink.AddDescriptor(d)
		return &m.routers, dirstore.Signed{Digest: d.Digest, Text: d.Text}
	})
}

// GiveExtraInfo takes in the extra-info document of a relay.
func (s *Sync) GiveExtraInfo(e *extrainfo.Document) {
	s.give(func(m *mirror) (*signedFetch, dirstore.Signed) {
		m.Sink.AddExtraInfo(e)
		return &m.extras, dirstore.Signed{Digest: e.Digest, Text: e.Text}
	})
}

// StoreRouter stores a router descriptor with its annotations, without handing it on: that of a bridge.
func (s *Sync) StoreRouter(d dirstore.Signed) {
	s.give(func(m *mirror) (*signedFetch, dirstore.Signed) { return &m.routers, d })
}

// StoreExtraInfo stores an extra-info document without handing it on: that of a bridge.
func (s *Sync) StoreExtraInfo(d dirstore.Signed) {
	s.give(func(m *mirror) (*signedFetch, dirstore.Signed) { return &m.extras, d })
}

// give hands a document on, and stores it.
func (s *Sync) give(add func(m *mirror) (*signedFetch, dirstore.Signed)) {
	s.ask(func(time.Time) {
		if s.mirror == nil {
			return
		}
		f, d := add(s.mirror)
		s.storeSigned(f, source{}, []dirstore.Signed{d})
		if f.journal >= max(maxJournal, f.stored/2) && len(f.asked) == 0 {
			s.rebuildSigned(f)
		}
	})
}

// LiveNS returns the head of the ns consensus in force, without its relays; nil if there is none. Only a mirror has one.
func (s *Sync) LiveNS() (c *consensus.Consensus) {
	s.ask(func(time.Time) {
		if m := s.mirror; m != nil && m.ns.current != nil && s.cfg.Env.Now().Before(m.ns.current.ValidUntil) {
			c = m.ns.current
		}
	})
	return c
}

// ask runs f in the owner goroutine and waits for it.
func (s *Sync) ask(f func(now time.Time)) {
	done := make(chan struct{})
	if s.do(func(now time.Time) { defer close(done); f(now) }) {
		<-done
	}
}
