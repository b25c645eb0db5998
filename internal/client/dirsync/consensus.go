package dirsync

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
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

// A track follows one flavor of the consensus.
type track struct {
	flavor           consensus.Flavor
	file, unverified string // where it is stored, and where one that waits for certificates is

	current   *consensus.Consensus // verified; nil if there is none
	onDisk    bool                 // current is in its file, so that diffs against it can be applied
	candidate *candidate           // waits for certificates
	cons      consensusFetch
}

// usable tells whether there is a consensus that may be used.
func (t *track) usable(wall time.Time) bool { return t.current != nil && usable(t.current, wall) }

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

// patience returns how much longer the candidate may wait for its certificates; nothing or less if it has waited too long.
func (t *track) patience(wall, now time.Time) time.Duration {
	wait := certPatience
	if !t.usable(wall) {
		wait = certPatienceStart
	}
	return t.candidate.since.Add(wait).Sub(now)
}

// fetchConsensus asks for a consensus when one is due: one server at a time, but several while a client starts.
//
// https://spec.torproject.org/dir-spec/client-operation.html
func (s *Sync) fetchConsensus(t *track, wall, now time.Time) time.Duration {
	if t.candidate != nil {
		if wait := t.patience(wall, now); wait > 0 {
			return wait // certificates come first
		}
	}
	usable := t.usable(wall)
	switch {
	case !usable && t == s.md && !s.fromAuthorities():
		return s.bootstrap(t, now)
	case t != s.md && !s.md.usable(wall):
		return maxWait // what this node needs itself comes first
	}
	f := &t.cons
	f.started = time.Time{}
	if usable && wall.Before(f.due) {
		return f.due.Sub(wall)
	}
	if f.running > 0 {
		return maxWait
	}
	if wait := f.retry.at.Sub(now); wait > 0 {
		return wait
	}
	if src, ok := s.one(&f.fetch); ok {
		s.requestConsensus(t, src)
	}
	return maxWait
}

// bootstrap asks several servers at a time, each new one after a longer wait, and after some seconds authorities too.
func (s *Sync) bootstrap(t *track, now time.Time) time.Duration {
	f := &t.cons
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
		if src, ok := s.fallback(); ok {
			s.requestConsensus(t, src)
		}
	}
	if len(s.cfg.Fallbacks) > 0 && !now.Before(f.authority.at) && f.running < s.cfg.Schedule.MaxTries {
		f.authority.again(now, s.cfg.Rand)
		if src, ok := s.anyAuthority(); ok {
			s.requestConsensus(t, src)
		}
	}
	next := f.retry.at
	if len(s.cfg.Fallbacks) > 0 && f.authority.at.Before(next) {
		next = f.authority.at
	}
	return next.Sub(now)
}

// maxModifiedDelay is how long after the beginning of our consensus the next one may begin at the earliest, as far as a
// server is told: more than its seconds are off, and less than the time between two consensuses.
const maxModifiedDelay = 3 * time.Minute

// consensusRequest asks for what is newer than the consensus that there is, as a diff to it if it is not too old.
func (s *Sync) consensusRequest(t *track) dirclient.Request {
	path := dirhttp.ConsensusPath{}
	if t.flavor != consensus.NS {
		path.Flavor = t.flavor.String()
	}
	for _, a := range s.cfg.Authorities {
		if a.Votes() {
			path.Signers = append(path.Signers, dirhttp.SignerPrefix(a.V3Ident))
		}
	}
	req := dirclient.Request{Path: path.String(), MaxBody: consensus.MaxLen}
	if t == s.md {
		req.Progress = s.consensusProgress
	}
	c := t.current
	if c == nil {
		return req
	}
	req.Modified = c.ValidAfter.Add(min(c.FreshUntil.Sub(c.ValidAfter)/2, maxModifiedDelay))
	maxAge := 72 * time.Hour
	if s.md.current != nil {
		maxAge = time.Duration(s.md.current.Params.Get("try-diff-for-consensus-newer-than", 72, 0, 8192)) * time.Hour
	}
	if t.onDisk && !c.ValidAfter.Before(s.cfg.Env.Now().Add(-maxAge)) {
		req.DiffFrom = [][32]byte{c.Digests.SHA3}
	}
	return req
}

func (s *Sync) requestConsensus(t *track, src source) {
	f := &t.cons
	if f.running == 0 {
		if f.cancel != nil {
			f.cancel(nil) // lets go of what the last ones had
		}
		f.ctx, f.cancel = context.WithCancelCause(s.ctx)
	}
	s.start(&f.fetch, src, s.consensusRequest(t), nil, func(now time.Time, resp *dirclient.Response, err error) {
		if err == nil {
			if err = s.takeConsensus(t, resp.Body, src, now); err != nil && src.authority != nil {
				src.authority.down = true // the next one is asked another
			}
		}
		switch {
		case err == nil:
			f.retry.reset()
			f.cancel(errSuperseded)
			return
		case errors.Is(err, errSuperseded):
			return
		case !f.started.IsZero(): // the next wait was drawn when this one began
			f.retry.unreached(now, err)
			f.authority.unreached(now, err)
		case t.usable(s.cfg.Env.Now()) && !s.fromAuthorities() && (dirclient.NotModified(err) || errors.Is(err, ErrOld)):
			f.retry.none(now, t.current, s.cfg.Rand)
			return
		default:
			f.retry.failed(now, err, s.cfg.Rand)
		}
		if t.current != nil && !t.usable(s.cfg.Env.Now()) && dirclient.NotModified(err) {
			err = fmt.Errorf("%w, and the directory server has no newer one: %w", s.validity(t.current), err)
		}
		s.log.Debug("consensus download failed", "flavor", t.flavor.String(), "err", err)
		if t == s.md {
			s.emit(Event{Stage: RequestingStatus, Err: err, Skew: skew(resp, err)})
		}
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
func (s *Sync) takeConsensus(t *track, text []byte, from source, now time.Time) error {
	if !consdiff.IsDiff(text) {
		return s.judge(t, text, from, false, now)
	}
	base, err := s.store.Read(t.file)
	if err == nil {
		text, err = consdiff.Apply(base, text)
	}
	if err == nil {
		err = s.judge(t, text, from, false, now)
	}
	if err != nil {
		t.onDisk = false // whoever is to blame, the next download is a whole consensus
		return fmt.Errorf("consensus diff: %w", err)
	}
	return nil
}

// judge parses and checks a consensus, and makes it the current one if it is good. One that was read from disk comes from
// the zero source; stored says whether its file has it already.
func (s *Sync) judge(t *track, text []byte, from source, stored bool, now time.Time) error {
	c, err := consensus.Parse(text)
	if err != nil {
		return err
	}
	if c.Flavor != t.flavor {
		return ErrNotWanted
	}
	if err := s.validity(c); err != nil {
		return err
	}
	if t.current != nil && !c.ValidAfter.After(t.current.ValidAfter) {
		return ErrOld
	}
	verdict := c.Verify(s.keyring())
	switch verdict.Result {
	case consensus.Good:
		s.accept(t, c, text, !stored)
		return nil
	case consensus.NeedCerts:
		if old := t.candidate; old == nil || c.ValidAfter.After(old.cons.ValidAfter) || t.patience(s.cfg.Env.Now(), now) <= 0 {
			t.candidate = &candidate{c, text, from, now}
			s.certFetch.retry.reset()
			s.save(t.unverified, text)
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
func (s *Sync) accept(t *track, c *consensus.Consensus, text []byte, save bool) {
	t.current = c
	schedule := s.cfg.Schedule
	schedule.Early = s.early()
	t.cons.due = schedule.refreshAt(c, s.cfg.Rand)
	t.candidate = nil
	t.onDisk = !save || s.save(t.file, text)
	if save && t.onDisk {
		s.removeUnverified(t)
	}
	s.log.Debug("new consensus", "flavor", t.flavor.String(), "valid-after", c.ValidAfter, "relays", len(c.Relays), "next-download", t.cons.due)
	s.mirror.accept(s, t, c, text)
	if t != s.md {
		return
	}
	s.view = netdir.New(c, s.lookup)
	s.intern = microdesc.NewInterner() // what only the last one listed is let go of
	s.mdFetch.forget()
	s.outdated = nil
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
