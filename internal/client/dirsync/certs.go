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

// fetchCerts asks for the certificates that the candidate needs.
func (s *Sync) fetchCerts(_, now time.Time) time.Duration {
	f := &s.certFetch
	if s.candidate == nil || f.running > 0 {
		return maxWait
	}
	if wait := f.retry.at.Sub(now); wait > 0 {
		return wait
	}
	verdict := s.candidate.cons.Verify(s.keyring())
	var pairs []dirhttp.KeyPair
	for _, m := range verdict.Missing {
		pairs = append(pairs, dirhttp.KeyPair{Identity: m.Identity, Signing: m.SigningKey})
	}
	path, err := dirhttp.KeyPairPath(pairs)
	if err != nil {
		s.dropCandidate(err)
		return 0
	}
	server, ok := s.candidate.from, true
	if len(server.Target.Addrs) == 0 || f.retry.delay > 0 {
		server, ok = s.cache(&f.retry) // the first server did not have them, or there is none
	}
	if !ok {
		return maxWait
	}
	s.emit(Event{Stage: LoadingKeys})
	s.start(f, server, dirclient.Request{Path: path, MaxBody: maxCerts}, func(now time.Time, resp *dirclient.Response, err error) {
		if err == nil {
			err = s.takeCerts(resp.Body)
		}
		if err == nil {
			err = s.retryCandidate()
		}
		if err != nil {
			f.retry.failed(now, err, s.cfg.Rand)
			s.log.Debug("certificate download failed", "err", err)
			s.emit(Event{Stage: LoadingKeys, Err: err})
		}
	})
	return maxWait
}

// takeCerts adds the certificates of trusted authorities in text, and writes all that we have to disk.
func (s *Sync) takeCerts(text []byte) error {
	added, err := s.addCerts(text)
	if added > 0 {
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

// addCerts adds what is good in text and returns how many there were. The error is of the last bad one.
func (s *Sync) addCerts(text []byte) (added int, last error) {
	for part := range authcert.Split(text) {
		c, err := authcert.Parse(bytes.Clone(part)) // it keeps its text
		switch {
		case err != nil:
		case !slices.Contains(s.trusted(), c.Fingerprint):
			err = fmt.Errorf("certificate of an unknown authority %X", c.Fingerprint)
		case !s.cfg.Env.Now().Before(c.Expires):
			err = fmt.Errorf("certificate of authority %X has expired at %v", c.Fingerprint, c.Expires)
		}
		if err != nil {
			last = err
			continue
		}
		id := consensus.KeyID{Identity: c.Fingerprint, SigningKey: c.SigningFP}
		if old := s.certs[id]; old == nil || c.Expires.After(old.Expires) { // a signing key may be certified anew
			s.certs[id] = c
			added++
		}
	}
	return added, last
}

// retryCandidate looks at the candidate again after certificates have come.
func (s *Sync) retryCandidate() error {
	c := s.candidate
	if c == nil {
		return nil
	}
	verdict := c.cons.Verify(s.keyring())
	switch verdict.Result {
	case consensus.Good:
		s.accept(c.cons, c.text, true)
		return nil
	case consensus.NeedCerts:
		return errIncomplete
	}
	err := unsigned(&verdict)
	s.dropCandidate(err)
	return err
}

// dropCandidate gives up a consensus that no certificate can save.
func (s *Sync) dropCandidate(err error) {
	s.candidate = nil
	s.log.Warn("consensus refused", "err", err)
	s.emit(Event{Stage: LoadingKeys, Err: err})
	s.removeUnverified()
}

func (s *Sync) removeUnverified() {
	if err := s.store.Remove(dirstore.FileUnverifiedConsensus); err != nil {
		s.log.Warn("cannot remove the unverified consensus", "err", err)
	}
}
