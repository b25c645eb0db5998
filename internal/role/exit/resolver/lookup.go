package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	defaultTimeout  = time.Second // of a try; EXIT_DNS_TIMEOUT_DEFAULT in C tor
	defaultAttempts = 2           // tries that may time out; EXIT_DNS_NUM_ATTEMPTS_DEFAULT
	tcpTimeout      = 5 * time.Second
	keepFailure     = 10 * time.Second // in the cache, so that names that break servers do not do so all the time
)

// lookup asks the servers one after the other until one knows. A server that has not answered in time may still do so
// until the look-up ends: many need a while for names that they do not have, and then answer all tries at once.
func (r *Resolver) lookup(ctx context.Context, q question) outcome {
	set := r.current()
	if set == nil {
		return outcome{err: temporary(ErrNoServers)}
	}
	r.counts.query(q.qtype)
	a, err := r.ask(ctx, set, q)
	if q.qtype == dns.TypeAAAA {
		r.v6.note(errors.Is(err, ErrTimeout))
	}
	out := outcome{addrs: a.addrs, names: a.names, ttl: clipTTL(a.ttl)}
	switch {
	case ctx.Err() != nil:
		return outcome{err: temporary(ctx.Err())}
	case err != nil:
		out.err, out.keep = temporary(err), keepFailure
	case len(a.addrs)+len(a.names) == 0:
		out.err, out.keep = &Error{Err: ErrNotFound, Permanent: true, TTL: out.ttl}, out.ttl
	default:
		out.keep = out.ttl
	}
	r.counts.outcome(err, out)
	return out
}

// ask is lookup without what surrounds it. Its error is ErrServer, perhaps with a reason, ErrTimeout, or that of ctx.
func (r *Resolver) ask(ctx context.Context, set *serverSet, q question) (answer, error) {
	timeout, attempts := r.limits(set.conf)
	t := r.newTries(ctx)
	defer t.end()
	timer := time.NewTimer(timeout)
	defer timer.Stop()

	var (
		order   = set.order()
		refused []*server // who said that they do not know; they are not asked again
		latest  *server   // whom the timer is for; nil if it is for nobody
		n       int       // tries so far
		open    int       // tries without a reply
		late    int       // tries that timed out
		lastErr error
	)
	next := func() bool {
		for range order {
			s := order[0]
			order = append(order[1:], s)
			if !slices.Contains(refused, s) {
				latest = s
				n, open = n+1, open+1
				t.start(n, s, q, false)
				timer.Reset(timeout)
				return true
			}
		}
		latest = nil
		return open > 0
	}
	for more := next(); more; {
		select {
		case <-ctx.Done():
			return answer{}, ctx.Err()
		case rep := <-t.replies:
			open--
			switch {
			case rep.err == nil:
				r.noteAnswered(set, rep.server)
				return rep.answer, nil
			case errors.Is(rep.err, errTruncated), errors.Is(rep.err, errFlooded):
				latest = rep.server
				n, open = n+1, open+1
				t.start(n, rep.server, q, true)
				timer.Reset(max(timeout, tcpTimeout))
			default:
				lastErr = rep.err
				refused = append(refused, rep.server)
				r.noteRefused(set, rep.server, rep.err)
				if rep.n == n {
					more = next()
				} else {
					more = open > 0
				}
			}
		case <-timer.C:
			if latest != nil {
				r.noteFailed(set, latest, ErrTimeout)
			}
			if late++; late >= attempts {
				return answer{}, ErrTimeout
			}
			more = next()
			if latest == nil {
				timer.Reset(timeout)
			}
		}
	}
	if lastErr == nil {
		return answer{}, ErrNoServers
	}
	return answer{}, fmt.Errorf("%w: %w", ErrServer, lastErr)
}

// limits returns how long a try may take, and how many may take longer: what SetLimits said, else resolv.conf, else the
// defaults.
func (r *Resolver) limits(conf *resolvConf) (timeout time.Duration, attempts int) {
	if l := r.override.Load(); l != nil {
		return l.timeout, l.attempts
	}
	timeout, attempts = defaultTimeout, defaultAttempts
	if conf.timeout > 0 {
		timeout = conf.timeout
	}
	if conf.attempts > 0 {
		attempts = conf.attempts
	}
	return timeout, attempts
}

type limits struct {
	timeout  time.Duration
	attempts int
}

// SetLimits sets how long a nameserver may take for one try, and how many tries may take longer before a look-up fails.
// They come from the consensus, exit_dns_timeout in milliseconds and exit_dns_num_attempts, and take precedence over
// resolv.conf, as in C tor, which also cuts the time to whole seconds and takes 0 of either for 1.
//
// https://spec.torproject.org/param-spec.html
func (r *Resolver) SetLimits(timeout time.Duration, attempts int) {
	r.override.Store(&limits{max(timeout.Truncate(time.Second), time.Second), max(attempts, 1)})
}
