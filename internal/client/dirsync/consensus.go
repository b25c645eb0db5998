package dirsync

import (
	"context"
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
	ErrFuture     = errors.New("consensus is from the future")
	ErrUnsigned   = errors.New("consensus has too few good signatures")
	ErrOld        = errors.New("consensus is not newer than the one we have")
	ErrNotWanted  = errors.New("consensus of another flavor")
	errPanic      = errors.New("a panic was contained in a download")
	errSuperseded = errors.New("another server was faster")
	errIncomplete = errors.New("server does not have all of what was asked for")
)

// consensusFetch is the state of consensus downloads.
type consensusFetch struct {
	fetch
	due       time.Time // on the wall clock; zero while there is no live consensus
	started   time.Time // of this attempt to bootstrap
	authority retry     // of the attempts that go to authorities
}

// How long the download of certificates may keep us from looking for another consensus. A server may have made up one
// whose keys nobody has.
const (
	certPatience      = 20 * time.Minute
	certPatienceStart = time.Minute // while there is no other consensus
)

// patience returns how much longer a candidate may wait for its certificates; nothing or less if it has waited too long.
func (s *Sync) patience(c *candidate, wall, now time.Time) time.Duration {
	wait := certPatience
	if s.current == nil || !usable(s.current, wall) {
		wait = certPatienceStart
	}
	return c.since.Add(wait).Sub(now)
}

// fetchConsensus asks for a consensus when one is due. While there is none to build circuits with, several servers are
// asked at a time, each new one after a longer wait, and after some seconds authorities too.
//
// https://spec.torproject.org/dir-spec/client-operation.html
func (s *Sync) fetchConsensus(wall, now time.Time) time.Duration {
	f := &s.cons
	if s.candidate != nil {
		if wait := s.patience(s.candidate, wall, now); wait > 0 {
			return wait // certificates come first
		}
	}
	if s.current != nil && usable(s.current, wall) {
		f.started = time.Time{}
		if wall.Before(f.due) {
			return f.due.Sub(wall)
		}
		if f.running > 0 {
			return maxWait
		}
		if wait := f.retry.at.Sub(now); wait > 0 {
			return wait
		}
		if server, ok := s.cache(&f.retry); ok {
			s.requestConsensus(server)
		}
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
	}
	if s.onDisk {
		req.DiffFrom = [][32]byte{s.current.Digests.SHA3}
	}
	f := &s.cons
	if f.running == 0 {
		if f.cancel != nil {
			f.cancel(nil) // lets go of what the last ones had
		}
		f.ctx, f.cancel = context.WithCancelCause(s.ctx)
	}
	s.start(&f.fetch, server, req, func(now time.Time, resp *dirclient.Response, err error) {
		if err == nil {
			err = s.takeConsensus(resp.Body, server, now)
		}
		switch {
		case err == nil:
			f.retry.reset()
			f.cancel(errSuperseded)
			return
		case errors.Is(err, errSuperseded):
			return
		case s.current != nil && usable(s.current, s.cfg.Env.Now()):
			if dirclient.NotModified(err) || errors.Is(err, ErrOld) {
				f.retry.none(now, s.current, s.cfg.Rand)
				return
			}
			f.retry.failed(now, err, s.cfg.Rand)
		default: // the next wait was drawn when this one began
			f.retry.unreached(now, err)
			f.authority.unreached(now, err)
			if s.current != nil && dirclient.NotModified(err) {
				if why := s.validity(s.current); why != nil {
					err = fmt.Errorf("%w, and the directory server has no newer one: %w", why, err)
				}
			}
		}
		s.log.Debug("consensus download failed", "err", err)
		s.emit(Event{Stage: RequestingStatus, Err: err, Skew: skew(resp, err)})
	})
}

// skew returns how far our clock is ahead, as far as a server has told.
func skew(resp *dirclient.Response, err error) time.Duration {
	var status *dirclient.StatusError
	switch {
	case resp != nil:
		return resp.Skew
	case errors.As(err, &status):
		return status.Skew
	}
	return 0
}

// consensusProgress tells how the first consensus comes along. Downloads call it from goroutines of their own.
func (s *Sync) consensusProgress(st dirclient.Stage) {
	s.emit(Event{Stage: [...]Stage{DirCircuit, RequestingStatus, LoadingStatus}[st]})
}

// takeConsensus takes in a consensus, or a diff against the one we have, that a server sent.
func (s *Sync) takeConsensus(text []byte, from circmgr.DirServer, now time.Time) error {
	if !consdiff.IsDiff(text) {
		return s.judge(text, from, false, now)
	}
	base, err := s.store.Read(dirstore.FileConsensus)
	if err == nil {
		text, err = consdiff.Apply(base, text)
	}
	if err == nil {
		err = s.judge(text, from, false, now)
	}
	if err != nil {
		s.onDisk = false // whoever is to blame, the next download is a whole consensus
		return fmt.Errorf("consensus diff: %w", err)
	}
	return nil
}

// judge parses and checks a consensus, and makes it the current one if it is good. One that was read from disk comes from
// the zero server; stored says whether FileConsensus has it already.
func (s *Sync) judge(text []byte, from circmgr.DirServer, stored bool, now time.Time) error {
	c, err := consensus.Parse(text)
	if err != nil {
		return err
	}
	if c.Flavor != consensus.Microdesc {
		return ErrNotWanted
	}
	if err := s.validity(c); err != nil {
		return err
	}
	if s.current != nil && !c.ValidAfter.After(s.current.ValidAfter) {
		return ErrOld
	}
	verdict := c.Verify(s.keyring())
	switch verdict.Result {
	case consensus.Good:
		s.accept(c, text, !stored)
		return nil
	case consensus.NeedCerts:
		if old := s.candidate; old == nil || c.ValidAfter.After(old.cons.ValidAfter) || s.patience(old, s.cfg.Env.Now(), now) <= 0 {
			s.candidate = &candidate{c, text, from, now}
			s.certFetch.retry.reset()
			s.save(dirstore.FileUnverifiedConsensus, text)
		}
		return nil
	}
	return unsigned(&verdict)
}

// validity returns an error if a consensus cannot be used, by our clock.
func (s *Sync) validity(c *consensus.Consensus) error {
	switch wall := s.cfg.Env.Now(); {
	case usable(c, wall):
		return nil
	case wall.After(c.ValidAfter):
		return fmt.Errorf("%w: it was valid until %v", ErrExpired, c.ValidUntil)
	}
	return fmt.Errorf("%w: it is valid from %v", ErrFuture, c.ValidAfter)
}

func unsigned(v *consensus.Verdict) error {
	return fmt.Errorf("%w: %d of the %d that are needed; %d bad, %d from authorities that we do not know",
		ErrUnsigned, len(v.Good), v.Needed, len(v.Bad), len(v.Unknown))
}

// accept makes c the current consensus, and writes it to disk with save.
func (s *Sync) accept(c *consensus.Consensus, text []byte, save bool) {
	s.current = c
	s.cons.due = s.cfg.Schedule.refreshAt(c, s.cfg.Rand)
	s.candidate = nil
	s.onDisk = !save || s.save(dirstore.FileConsensus, text)
	if save && s.onDisk {
		s.removeUnverified()
	}
	s.log.Debug("new consensus", "valid-after", c.ValidAfter, "relays", len(c.Relays), "next-download", s.cons.due)
	s.view = netdir.New(c, s.lookup)
	s.intern = microdesc.NewInterner() // what only the last one listed is let go of
	s.mdFetch.forget()
	s.loadMicrodescs()
	s.reconsider()
	s.tidy()
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
func (s *Sync) save(name string, text []byte) (ok bool) {
	err := s.store.Write(name, text)
	if err != nil {
		s.log.Warn("cannot write to the directory cache", "file", name, "err", err)
	}
	return err == nil
}
