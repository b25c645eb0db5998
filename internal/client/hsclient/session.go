package hsclient

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// sessionKey says which streams share a circuit.
type sessionKey struct {
	service   onionaddr.Address
	isolation isolation.Key
	stable    bool
}

// session is a circuit to a service, from the wish for one to its end.
//
//	connecting → open → retired → closed
type session struct {
	key    sessionKey
	id     uint64
	cancel context.CancelCauseFunc
	poke   chan struct{} // has room for one: look at used and retired

	ready chan struct{} // closed when circ or err is set
	circ  *circuit.Circuit
	err   error

	// Guarded by Client.mu.
	waiters int
	used    time.Time // when the last stream was opened; zero if none was
	retired bool
	trouble error // the last failure that is for applications to know, while connecting
}

// join returns the session that a request may share, or begins one.
func (c *Client) join(r Request) (*session, error) {
	key := sessionKey{r.Service, r.Isolation, slices.Contains(c.cfg.LongLived, r.Port)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	s := c.sessions[key]
	if s != nil && s.circ != nil && s.circ.Err() != nil { // it is about to be forgotten
		s = nil
	}
	if s == nil {
		c.lastID++
		s = &session{key: key, id: c.lastID, ready: make(chan struct{}), poke: make(chan struct{}, 1)}
		c.sessions[key] = s
		ctx, cancel := context.WithCancelCause(c.ctx)
		s.cancel = cancel
		safego.Go(&c.wg, c.log, "onion service", func() { c.run(ctx, s) })
	}
	s.waiters++
	return s, nil
}

// leave ends the wait for a session. If nobody waits any more, it is not worth while to go on.
func (c *Client) leave(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.waiters--; s.waiters > 0 {
		return
	}
	select {
	case <-s.ready:
	default:
		s.cancel(errAbandoned)
		c.forgetLocked(s)
	}
}

// use counts a stream, and tells whether it is the first.
func (c *Client) use(s *session) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first = s.used.IsZero()
	// A meeting is costly: the time counts from the last stream and not, as on other circuits, from the first.
	s.used = time.Now()
	return first
}

// giveUp returns what a request fails with whose time is over.
func (c *Client) giveUp(s *session, cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := errors.AsType[*Error](s.trouble); ok {
		return &Error{e.Reason, errors.Join(cause, e.Err)}
	}
	why := circmgr.ErrSlow
	if c.cfg.Dir.View() == nil {
		why = circmgr.ErrNoDirectory
	}
	return &circmgr.BuildError{Err: why, Cause: cause}
}

// note remembers a failure for those whose time ends before anything works.
func (c *Client) note(s *session, err error) {
	c.log.Debug("onion service not reached yet", "circ", s.id, "service", safelog.Of(s.key.service), "err", err)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.trouble = err
}

func (c *Client) forgetLocked(s *session) {
	if c.sessions[s.key] == s {
		delete(c.sessions, s.key)
	}
}

func (c *Client) retireLocked(s *session) {
	c.forgetLocked(s)
	s.retired = true
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// run connects s and keeps it until its end.
func (c *Client) run(ctx context.Context, s *session) {
	defer s.cancel(nil)
	circ, err := (*circuit.Circuit)(nil), errPanic
	safego.Run(c.log, "onion service", func() { circ, err = c.connect(ctx, s) })
	if err == nil && ctx.Err() != nil {
		circ.Close()
		err = context.Cause(ctx)
	}
	c.mu.Lock()
	s.circ, s.err = circ, err
	if err != nil {
		c.forgetLocked(s)
	}
	opened := time.Now()
	c.mu.Unlock()
	close(s.ready)
	if err != nil {
		c.log.Debug("onion service not reached", "circ", s.id, "service", safelog.Of(s.key.service), "err", err)
		return
	}
	c.log.Debug("met onion service", "circ", s.id, "service", safelog.Of(s.key.service))
	c.watch(ctx, s, opened)
	circ.Close()
	c.mu.Lock()
	c.forgetLocked(s)
	c.mu.Unlock()
	c.log.Debug("circuit to onion service closed", "circ", s.id, "err", circ.Err())
}

// streamRecheck is how often a circuit that takes no new streams is looked at while old ones go on.
const streamRecheck = 30 * time.Second

// watch returns when the circuit has ended or is not needed any more.
func (c *Client) watch(ctx context.Context, s *session, opened time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c.mu.Lock()
		used := s.used
		if used.IsZero() {
			used = opened
		}
		left := c.cfg.MaxDirtiness - time.Since(used)
		if left <= 0 || s.retired {
			c.forgetLocked(s)
			left = 0
		}
		c.mu.Unlock()
		if left == 0 {
			if s.circ.Tunnel().Streams() == 0 {
				return
			}
			left = streamRecheck // nothing tells when its last stream ends
		}
		timer.Reset(left)
		select {
		case <-ctx.Done():
			return
		case <-s.circ.Done():
			return
		case <-s.poke:
		case <-timer.C:
		}
	}
}
