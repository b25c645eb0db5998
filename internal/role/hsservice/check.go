package hsservice

import (
	"context"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// When to try whether clients reach the service: it may be there in its own view, and nowhere else.
const (
	firstCheck = 30 * time.Second // after it has become reachable in its own view
	checkAgain = 6 * time.Hour    // after one that went well
	checkRetry = 5 * time.Minute  // after one that did not
	checkTime  = 2 * time.Minute
)

// check is what is known of such trials. The owner has it.
type check struct {
	next time.Time // zero while the service is not reachable in its own view
	busy bool
	done bool  // there has been one
	err  error // of the last one
}

// keepCheck tries from time to time to reach the service as a client does.
func (s *Service) keepCheck(now time.Time) time.Duration {
	c := &s.check
	if s.set.Unpublished || s.state.Load().points == 0 || s.state.Load().uploaded == 0 {
		c.next = time.Time{}
		return time.Hour
	}
	switch {
	case c.next.IsZero():
		c.next = now.Add(firstCheck)
	case c.busy:
		return time.Hour
	case !now.Before(c.next):
		c.busy = true
		ctx, net, addr := s.ctx, s.cfg.Net, s.addr
		safego.Go(&s.wg, s.log, "onion service check", func() {
			err := errPanic
			safego.Run(s.log, "onion service check", func() {
				ctx, cancel := context.WithTimeout(ctx, checkTime)
				defer cancel()
				err = net.Check(ctx, addr)
			})
			s.do(func(now time.Time) { s.checkDone(err, now) })
		})
		return time.Hour
	}
	return c.next.Sub(now)
}

// checkDone tells people what a trial brought, when that is news.
func (s *Service) checkDone(err error, now time.Time) {
	c := &s.check
	switch {
	case err != nil:
		s.log.Warn("Clients may not reach the onion service: we have tried it as one", "service", s.name(), "err", err)
	case !c.done || c.err != nil:
		safelog.Notice(s.log, "Clients reach the onion service: we have tried it as one", "service", s.name())
	}
	c.busy, c.done, c.err, c.next = false, true, err, now.Add(checkAgain)
	if err != nil {
		c.next = now.Add(checkRetry)
	}
}
