package resolver

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// probeLoop asks servers that are down whether they are well again, less and less often.
func (r *Resolver) probeLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := time.Duration(-1)
		if set := r.current(); set != nil {
			if s, at := set.nextProbe(); s != nil {
				if wait = time.Until(at); wait <= 0 {
					r.probe(ctx, set, s)
					continue
				}
			}
		}
		timer.Stop()
		if wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
		}
	}
}

// probe asks one server for a name that exists. Any answer will do, also that the name does not exist.
func (r *Resolver) probe(ctx context.Context, set *serverSet, s *server) {
	timeout, _ := r.limits(set.conf)
	t := r.newTries(ctx)
	defer t.end()
	t.start(1, s, r.probeQuestion(), false)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case rep := <-t.replies:
		if rep.err == nil || errors.Is(rep.err, errTruncated) {
			r.noteAnswered(set, s)
			return
		}
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	set.probeFailed(s, time.Now())
}

// probeQuestion asks for a test address, or, if there are none, for the servers of the root.
func (r *Resolver) probeQuestion() question {
	for _, name := range r.cfg.TestAddresses {
		labels := strings.Split(asciiLower(strings.TrimSuffix(name, ".")), ".")
		if q, err := questionFor(labels, dns.TypeA); err == nil {
			return q
		}
	}
	return question{".", dns.TypeNS}
}
