package dirsync

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// Why a consensus is refused.
var (
	ErrExpired    = errors.New("consensus has expired")
	ErrFuture     = errors.New("consensus is from the future: is our clock right?")
	ErrUnsigned   = errors.New("consensus has too few good signatures")
	ErrOld        = errors.New("consensus is not newer than the one we have")
	ErrNotWanted  = errors.New("consensus of another flavor")
	errPanic      = errors.New("a panic was contained in a download")
	errIncomplete = errors.New("server does not have all of what was asked for")
)

// consensusFetch is the state of consensus downloads.
type consensusFetch struct {
	fetch
	due       time.Time // on the wall clock; zero while there is no live consensus
	started   time.Time // of this attempt to bootstrap
	authority retry     // of the attempts that go to authorities
}

// fetchConsensus asks for a consensus when one is due. While there is none to build circuits with, several servers are
// asked at a time, each new one after a longer wait, and after some seconds authorities too.
//
// https://spec.torproject.org/dir-spec/client-operation.html
func (s *Sync) fetchConsensus(wall, now time.Time) time.Duration {
	f := &s.cons
	if s.candidate != nil {
		return maxWait // certificates come first
	}
	if s.current != nil && usable(s.current, wall) {
		f.started = time.Time{}
		if live(s.current, wall) && wall.Before(f.due) {
			return f.due.Sub(wall)
		}
		if f.running > 0 {
			return maxWait
		}
		if wait := f.retry.at.Sub(now); wait > 0 {
			return wait
		}
		s.requestConsensus(s.caches(1)[0])
		return maxWait
	}
	if f.started.IsZero() {
		f.started = now
		f.retry.reset()
		f.authority = retry{at: now.Add(s.cfg.Schedule.AuthorityDelay)}
	}
	if f.running >= s.cfg.Schedule.MaxTries {
		return maxWait
	}
	if !now.Before(f.retry.at) {
		f.retry.again(now, s.cfg.Rand)
		if server, ok := s.fallback(); ok {
			s.requestConsensus(server)
		}
	}
	if len(s.cfg.Fallbacks) > 0 && !now.Before(f.authority.at) && f.running < s.cfg.Schedule.MaxTries {
		f.authority.again(now, s.cfg.Rand)
		if server, ok := s.authority(); ok {
			s.requestConsensus(server)
		}
	}
	next := f.retry.at
	if len(s.cfg.Fallbacks) > 0 && f.authority.at.Before(next) {
		next = f.authority.at
	}
	return next.Sub(now)
}

func (s *Sync) requestConsensus(server circmgr.DirServer) {
	path := dirhttp.ConsensusPath{Flavor: "microdesc"}
	for _, a := range s.cfg.Authorities {
		if a.Votes() {
			path.Signers = append(path.Signers, dirhttp.SignerPrefix(a.V3Ident))
		}
	}
	req := dirclient.Request{Path: path.String(), MaxBody: consensus.MaxLen, Progress: s.consensusProgress}
	if s.current != nil {
		req.Modified = s.current.ValidAfter
		req.DiffFrom = [][32]byte{s.current.Digests.SHA3}
	}
	s.start(&s.cons.fetch, server, req, func(now time.Time, resp *dirclient.Response, err error) {
		if err == nil {
			err = s.takeConsensus(resp.Body, server)
		}
		switch {
		case err == nil:
			s.cons.retry.reset()
			return
		case s.current != nil && usable(s.current, s.cfg.Env.Now()):
			s.cons.retry.again(now, s.cfg.Rand)
			if dirclient.NotModified(err) || errors.Is(err, ErrOld) {
				return
			}
		}
		s.log.Debug("consensus download failed", "err", err)
		e := Event{Stage: RequestingStatus, Err: err}
		if resp != nil {
			e.Skew = resp.Skew
		}
		s.emit(e)
	})
}

// consensusProgress tells how the first consensus comes along. Downloads call it from goroutines of their own.
func (s *Sync) consensusProgress(st dirclient.Stage) {
	s.emit(Event{Stage: [...]Stage{DirCircuit, RequestingStatus, LoadingStatus}[st]})
}

// takeConsensus takes in a consensus, or a diff against the one we have, that a server sent.
func (s *Sync) takeConsensus(text []byte, from circmgr.DirServer) error {
	if consdiff.IsDiff(text) {
		base, err := s.store.Read(dirstore.FileConsensus)
		if err != nil {
			return err
		}
		if text, err = consdiff.Apply(base, text); err != nil {
			return err
		}
	}
	return s.judge(text, &from)
}

// judge parses and checks a consensus, and makes it the current one if it is good. from is nil for one from disk.
func (s *Sync) judge(text []byte, from *circmgr.DirServer) error {
	c, err := consensus.Parse(text)
	if err != nil {
		return err
	}
	wall := s.cfg.Env.Now()
	switch {
	case c.Flavor != consensus.Microdesc:
		return ErrNotWanted
	case !wall.Before(c.ValidUntil.Add(reasonablyLive)):
		return fmt.Errorf("%w: it was valid until %v", ErrExpired, c.ValidUntil)
	case !wall.After(c.ValidAfter.Add(-reasonablyLive)):
		return fmt.Errorf("%w it is valid from %v", ErrFuture, c.ValidAfter)
	case s.current != nil && !c.ValidAfter.After(s.current.ValidAfter):
		return ErrOld
	}
	verdict := c.Verify(s.keyring())
	switch verdict.Result {
	case consensus.Good:
		s.accept(c, text, from != nil)
		return nil
	case consensus.NeedCerts:
		if from == nil {
			from = &circmgr.DirServer{}
		}
		if s.candidate == nil || c.ValidAfter.After(s.candidate.cons.ValidAfter) {
			s.candidate = &candidate{c, text, *from}
			s.certFetch.retry.reset()
			s.save(dirstore.FileUnverifiedConsensus, text)
		}
		return nil
	}
	return fmt.Errorf("%w: %d of the %d that are needed; %d bad, %d from authorities that we do not know",
		ErrUnsigned, len(verdict.Good), verdict.Needed, len(verdict.Bad), len(verdict.Unknown))
}

// accept makes c the current consensus.
func (s *Sync) accept(c *consensus.Consensus, text []byte, store bool) {
	s.current = c
	s.cons.due = s.cfg.Schedule.refreshAt(c, s.cfg.Rand)
	s.candidate = nil
	if store {
		s.save(dirstore.FileConsensus, text)
	}
	if err := s.store.Remove(dirstore.FileUnverifiedConsensus); err != nil {
		s.log.Warn("cannot remove the unverified consensus", "err", err)
	}
	s.log.Debug("new consensus", "valid-after", c.ValidAfter, "relays", len(c.Relays), "next-download", s.cons.due)
	s.view = netdir.New(c, s.lookup)
	s.intern = microdesc.NewInterner() // what only the last one listed is let go of
	s.mdFetch.forget()
	s.reconsider()
}

func (s *Sync) keyring() *consensus.Keyring {
	return &consensus.Keyring{Trusted: s.trusted(), Key: s.signingKey}
}

func (s *Sync) trusted() [][20]byte {
	var ids [][20]byte
	for _, a := range s.cfg.Authorities {
		if a.Votes() {
			ids = append(ids, a.V3Ident)
		}
	}
	return ids
}

func (s *Sync) signingKey(id consensus.KeyID) *rsa.PublicKey {
	c := s.certs[id]
	if c == nil || !s.cfg.Env.Now().Before(c.Expires) {
		return nil
	}
	return c.Signing
}

// save writes a document to disk. The network goes on without the disk: what is lost is a quick start.
func (s *Sync) save(name string, text []byte) {
	if err := s.store.Write(name, text); err != nil {
		s.log.Warn("cannot write to the directory cache", "file", name, "err", err)
	}
}
