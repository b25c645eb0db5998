package dirsync

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// maxCerts bounds an answer with certificates: each has about 2 KB, and there are about ten authorities.
const maxCerts = 1 << 20

// fetchCerts asks for the certificates that the candidates need.
func (s *Sync) fetchCerts(_, now time.Time) time.Duration {
	f := &s.certFetch
	if f.running > 0 {
		return maxWait
	}
	var first *track
	var pairs []dirhttp.KeyPair
	for _, t := range s.tracks {
		if t.candidate == nil {
			continue
		}
		if first == nil {
			first = t
		}
		verdict := t.candidate.cons.Verify(s.keyring())
		for _, m := range verdict.Missing {
			pairs = append(pairs, dirhttp.KeyPair{Identity: m.Identity, Signing: m.SigningKey})
		}
	}
	if first == nil {
		return maxWait
	}
	if wait := f.retry.at.Sub(now); wait > 0 {
		return wait
	}
	path, err := dirhttp.KeyPairPath(pairs)
	if err != nil {
		s.dropCandidate(first, err)
		return 0
	}
	src, ok := first.candidate.from, true
	if src.none() || f.retry.delay > 0 {
		src, ok = s.one(f) // the first server did not have them, or there is none
	}
	if !ok {
		return maxWait
	}
	if first == s.md {
		s.emit(Event{Stage: LoadingKeys})
	}
	s.start(f, src, dirclient.Request{Path: path, MaxBody: maxCerts}, nil, func(now time.Time, resp *dirclient.Response, err error) {
		if err == nil {
			err = s.takeCerts(resp.Body, nil)
		}
		if err == nil {
			err = s.retryCandidates()
		}
		if err != nil {
			f.retry.failed(now, err, s.cfg.Rand)
			s.log.Debug("certificate download failed", "err", err)
			if first == s.md {
				s.emit(Event{Stage: LoadingKeys, Err: err})
			}
		}
	})
	return maxWait
}

// takeCerts adds the good certificates in text, and writes all that we have to disk. Those of authorities that we do not
// trust are good if they were asked for.
func (s *Sync) takeCerts(text []byte, asked map[consensus.KeyID]bool) error {
	added, err := s.addCerts(text, func(id consensus.KeyID) bool { return asked[id] })
	if added > 0 {
		s.mirror.dropOldCerts(s.certs, s.cfg.Env.Now())
		var all []byte
		for _, c := range s.certs {
			all = append(all, c.Text...)
		}
		s.save(dirstore.FileCerts, all)
		return nil
	}
	if err == nil {
		err = errIncomplete
	}
	return err
}

// addCerts adds what is good in text and returns how many there were. The error is of the last bad one. Foreign certificates
// are those of authorities that we do not trust.
func (s *Sync) addCerts(text []byte, foreign func(consensus.KeyID) bool) (added int, last error) {
	for part := range authcert.Split(text) {
		c, err := authcert.Parse(bytes.Clone(part)) // it keeps its text
		if err != nil {
			last = err
			continue
		}
		id := consensus.KeyID{Identity: c.Fingerprint, SigningKey: c.SigningFP}
		switch {
		case !slices.Contains(s.trusted(), c.Fingerprint) && !foreign(id):
			last = fmt.Errorf("certificate of an unknown authority %X", c.Fingerprint)
			continue
		case !s.cfg.Env.Now().Before(c.Expires) && s.mirror == nil: // a cache serves it still
			last = fmt.Errorf("certificate of authority %X has expired at %v", c.Fingerprint, c.Expires)
			continue
		}
		if old := s.certs[id]; old == nil || c.Expires.After(old.Expires) { // a signing key may be certified anew
			s.certs[id] = c
			added++
			s.mirror.addCert(c)
		}
	}
	return added, last
}

// retryCandidates looks at the candidates again after certificates have come.
func (s *Sync) retryCandidates() (err error) {
	for _, t := range s.tracks {
		c := t.candidate
		if c == nil {
			continue
		}
		verdict := c.cons.Verify(s.keyring())
		switch verdict.Result {
		case consensus.Good:
			s.accept(t, c.cons, c.text, true)
		case consensus.NeedCerts:
			err = errIncomplete
		default:
			err = unsigned(&verdict)
			s.dropCandidate(t, err)
		}
	}
	return err
}

// dropCandidate gives up a consensus that no certificate can save.
func (s *Sync) dropCandidate(t *track, err error) {
	t.candidate = nil
	s.log.Warn("consensus refused", "flavor", t.flavor.String(), "err", err)
	if t == s.md {
		s.emit(Event{Stage: LoadingKeys, Err: err})
	}
	s.removeUnverified(t)
}

func (s *Sync) removeUnverified(t *track) {
	if err := s.store.Remove(t.unverified); err != nil {
		s.log.Warn("cannot remove the unverified consensus", "err", err)
	}
}
