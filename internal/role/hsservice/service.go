package hsservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/hsdirs"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// A Service is an onion service. Its methods are safe for concurrent use.
//
// The goroutine in Run owns every field below msgs; others reach them through do.
type Service struct {
	cfg  Config
	log  *slog.Logger
	addr onionaddr.Address
	wg   sync.WaitGroup // of all that Run has started
	done chan struct{}  // closed when Run returns
	kick chan struct{}  // holds a token when the owner is to look around

	intros   chan introduction
	keys     atomic.Pointer[keys] // nil while there are no descriptors
	cookies  cookies
	streams  atomic.Int64             // in the hands of the Handler
	circuits atomic.Uint32            // numbers of circuits with clients
	received atomic.Uint64            // introductions
	dropped  atomic.Uint64            // those that led to nothing
	met      atomic.Uint64            // those that a circuit to a rendezvous point was begun for
	shared   atomic.Pointer[Settings] // what is in set, for readers of links
	state    atomic.Pointer[status]
	up       chan struct{} // closed when the service has become reachable

	msgs chan func(now time.Time)

	ctx      context.Context
	set      Settings
	points   []*point
	failed   map[[20]byte]time.Time // relays that have failed as introduction points
	period   time.Time              // when launched was 0
	launched int                    // circuits to introduction points
	noRelay  error                  // why there is no relay for another one
	lastErr  error                  // of an introduction point
	short    time.Time              // since when there are introduction points, but not all of them; zero if there are none, or all

	dirs       *hsdirs.Dirs // of dirsOf
	dirsOf     *netdir.View
	descs      []*descriptor
	stale      bool // descs are to be made anew
	uploading  int
	lastRefuse error     // of an upload
	seeds      time.Time // when the seeds of the proof of work change
	review     time.Time // when the suggested effort is looked at

	check    check
	queue    queue[*client]
	tokens   float64 // clients that may be met, by PoW.Rate
	filled   time.Time
	meetings int // rendezvous that are being built
}

// status is what others may know.
type status struct {
	points   int // established
	uploaded int // directories that have a descriptor
	dirs     int // that should
	err      error
	check    check
}

// New returns a service. Run makes it work.
func New(cfg Config) (*Service, error) {
	addr, err := onionaddr.FromKey(cfg.Key.ID())
	if err != nil {
		return nil, fmt.Errorf("key of the onion service: %w", err)
	}
	s := &Service{
		cfg: cfg, log: cfg.Env.Log, addr: addr, set: cfg.Settings,
		done: make(chan struct{}), kick: make(chan struct{}, 1), up: make(chan struct{}),
		intros: make(chan introduction, maxWaiting),
		msgs:   make(chan func(time.Time)), // without a buffer: what do has handed over is run
		failed: map[[20]byte]time.Time{},
	}
	s.state.Store(&status{})
	s.shared.Store(&cfg.Settings)
	s.queue.setRate(cfg.PoW)
	return s, nil
}

// Address is the service's name.
func (s *Service) Address() onionaddr.Address { return s.addr }

// Up is closed once the service has been reachable.
func (s *Service) Up() <-chan struct{} { return s.up }

// Done is closed when the service takes no more clients, and its introduction points are closed.
func (s *Service) Done() <-chan struct{} { return s.done }

// name is how the service appears in the log.
func (s *Service) name() safelog.Sensitive[string] { return safelog.Of(s.addr.String()) }

// Run serves until ctx ends. It returns when all circuits are closed, and all streams are over; with Config.Linger those of
// clients that have come before may go on.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	s.ctx = ctx
	for range workers {
		safego.Go(&s.wg, s.log, "introductions", func() { s.work(ctx) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	changed := s.cfg.Net.Changed()
	for ctx.Err() == nil {
		timer.Reset(s.step(time.Now()))
		select {
		case <-ctx.Done():
		case f := <-s.msgs:
			f(time.Now())
		case <-changed:
			changed = s.cfg.Net.Changed()
		case <-s.kick:
		case <-timer.C:
		}
	}
	cancel(errClosed)
	for _, p := range s.points {
		p.shut()
	}
	close(s.done)
	s.wg.Wait()
	return context.Cause(ctx)
}

var errClosed = fmt.Errorf("onion service: %w", net.ErrClosed)

// do runs f in the owner goroutine, and reports whether it will.
func (s *Service) do(f func(now time.Time)) bool {
	select {
	case s.msgs <- f:
		return true
	case <-s.done:
		return false
	}
}

// wake makes the owner look around. It never blocks.
func (s *Service) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// step does all that can be done now, and returns how long to wait before looking again.
func (s *Service) step(now time.Time) time.Duration {
	v := s.cfg.Net.View()
	if v == nil {
		return time.Hour
	}
	next := s.keepPoints(v, now)
	if err := s.keepDescriptors(v); err != nil {
		s.log.Warn("cannot make a descriptor of an onion service", "service", s.name(), "err", err)
		return min(next, time.Minute)
	}
	next = min(next, s.keepEffort(now), s.keepUploads(v, now), s.meetClients(now))
	s.tell()
	return min(next, s.keepCheck(now))
}

// Configure takes over other settings. Descriptors are made anew where they differ, and introduction points too if they are to
// have other limits.
func (s *Service) Configure(set Settings) {
	s.do(func(now time.Time) {
		was := s.set
		s.set = set
		s.shared.Store(&set)
		if was.IntroLimits != set.IntroLimits {
			for _, p := range s.points {
				if p.circ != nil {
					p.circ.Close()
				}
			}
		}
		if !reflect.DeepEqual(was.Clients, set.Clients) || (was.PoW == nil) != (set.PoW == nil) || !reflect.DeepEqual(was.Frontends, set.Frontends) {
			s.stale = true // who may read them, or what they ask for, is another matter now
		}
		s.queue.setRate(set.PoW)
		if set.PoW == nil {
			s.queue.effort = effort{}
		}
	})
}

// tell lets others know how the service fares, in words.
func (s *Service) tell() {
	now := &status{points: established(s.points), err: s.lastErr, check: s.check}
	for _, d := range s.descs {
		for _, u := range d.dirs {
			if u.wanted {
				now.dirs++
			}
			if u.wanted && u.has > 0 {
				now.uploaded++
			}
		}
	}
	if now.err == nil {
		now.err = errors.Join(s.noRelay, s.lastRefuse)
	}
	was := s.state.Swap(now)
	switch is := now.reachable(&s.set); {
	case is && !was.reachable(&s.set):
		s.publish(Event{Kind: Reachable})
		safelog.Notice(s.log, fmt.Sprintf("Onion service is reachable at %d introduction points, and clients can find its descriptor", now.points), "service", s.name())
		select {
		case <-s.up:
		default:
			close(s.up)
		}
	case !is && was.reachable(&s.set):
		s.publish(Event{Kind: Unreachable})
		s.log.Warn("Onion service is not reachable: it has lost all introduction points, and looks for others", "service", s.name(), "err", now.err)
	}
}

// reachable tells whether clients can find the service and introduce themselves.
func (s *status) reachable(set *Settings) bool {
	return s.points > 0 && (s.uploaded > 0 || set.Unpublished)
}

// Status says in words whether clients can reach the service, and if not, why.
func (s *Service) Status() (reachable bool, text string) {
	st := s.state.Load()
	reachable = st.reachable(s.shared.Load())
	switch {
	case reachable:
		text = fmt.Sprintf("%d introduction points, descriptors at %d of %d directories", st.points, st.uploaded, st.dirs)
		switch c := st.check; {
		case c.done && c.err != nil:
			text += "; but as a client we could not reach it: " + c.err.Error()
		case c.done:
			text += "; as a client we have reached it"
		}
	case st.points == 0:
		text = "no introduction point yet"
	default:
		text = fmt.Sprintf("%d introduction points, but no directory has a descriptor yet", st.points)
	}
	if !reachable && st.err != nil {
		text += ": " + st.err.Error()
	}
	return reachable, text
}

// Counts are what has happened since the service began.
type Counts struct {
	Introductions uint64 // INTRODUCE2 messages that have come
	Dropped       uint64 // those that were malformed, had come before, or too many
	Rendezvous    uint64 // clients that we have begun to meet
}

// Counts tells what has happened so far.
func (s *Service) Counts() Counts {
	return Counts{Introductions: s.received.Load(), Dropped: s.dropped.Load(), Rendezvous: s.met.Load()}
}

func (s *Service) publish(e Event) {
	if s.cfg.Events != nil {
		e.Service = s.addr
		s.cfg.Events.Publish(e)
	}
}
