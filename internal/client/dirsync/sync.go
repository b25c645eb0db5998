package dirsync

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// Getter asks a directory server. dirclient.Client is one.
type Getter interface {
	Get(ctx context.Context, s circmgr.DirServer, req dirclient.Request) (*dirclient.Response, error)
}

// Config is what a Sync needs.
type Config struct {
	Env         env.Env
	Get         Getter
	Authorities []trusteddirs.Authority
	Fallbacks   []trusteddirs.Fallback
	// Caches chooses up to n relays to ask for what is missing: directory guards, the best first, and if possible none of those
	// that are outdated.
	Caches func(v *netdir.View, n int, outdated map[[20]byte]bool) []*netdir.Relay
	// PathFraction is the share of the paths that the user allows for which the relays are known.
	PathFraction func(*netdir.View) float64
	Rand         *rand.Rand // only the owner goroutine uses it
	Events       *event.Bus // gets Event values; may be nil
	Schedule     Schedule
	MinPaths     float64 // share of paths that must be there, 0 to 1; what the consensus says if zero

	// FromAuthorities tells whether to ask authorities, for everything, and early: what relays do that cache directories or
	// refuse unknown exits, once they have published a descriptor (dirclient_fetches_from_authorities in C tor). It is asked
	// before each download. Nil means no.
	FromAuthorities func() bool
	// DirPorts makes it ask authorities at their DirPorts, in plain HTTP, as C tor's relays do.
	DirPorts bool
	Self     [20]byte // RSA identity of this relay, which does not ask itself

	Mirror *Mirror // what to keep for others; nil keeps what a client needs
}

// A Sync keeps the directory. Its methods are safe for concurrent use.
type Sync struct {
	cfg   Config
	log   *slog.Logger
	store dirstore.Store
	msgs  chan func(now time.Time) // run by the owner
	done  chan struct{}            // closed when Run returns
	wg    sync.WaitGroup           // downloads

	published atomic.Pointer[published]

	// The goroutine in Run owns the fields below.
	ctx         context.Context
	certs       map[consensus.KeyID]*authcert.Cert
	authorities []*authority // that we may ask as relays do
	md          *track       // the flavor that circuits are built from
	tracks      []*track     // all flavors that are kept, md first
	view        *netdir.View // of md.current, whether or not it is enough to build circuits
	mds         map[[32]byte]*microdesc.Microdesc
	intern      *microdesc.Interner
	given       map[[32]byte]bool // the microdescriptors of the last GiveMicrodescs
	journal     int               // bytes in the journal of microdescriptors
	usable      bool              // md.current may be used, when that was looked at last
	enough      bool              // and there are enough of its microdescriptors
	nudged      time.Time         // the last time
	outdated    map[[20]byte]bool // caches that do not have all microdescriptors of md.current
	mirror      *mirror           // nil if nothing is kept for others

	certFetch fetch
	mdFetch   batch[[32]byte]
}

// published is a view that anybody may have.
type published struct {
	view    *netdir.View  // nil if there is not enough to build circuits
	changed chan struct{} // closed when this is superseded
}

// candidate is a consensus whose signatures cannot all be checked yet.
type candidate struct {
	cons  *consensus.Consensus
	text  []byte
	from  source // whoever has the consensus has the certificates; zero for one from disk
	since time.Time
}

// New returns a Sync. Run makes it work.
func New(cfg Config) *Sync {
	cfg.Schedule.setDefaults()
	s := &Sync{
		cfg: cfg, log: cfg.Env.Log,
		store: dirstore.Store{Files: cfg.Env.State},
		msgs:  make(chan func(time.Time)),
		done:  make(chan struct{}),
		certs: map[consensus.KeyID]*authcert.Cert{},
		mds:   map[[32]byte]*microdesc.Microdesc{},
		md: &track{
			flavor: consensus.Microdesc, file: dirstore.FileConsensus, unverified: dirstore.FileUnverifiedConsensus,
		},
		certFetch: fetch{purpose: forCerts},
		mdFetch:   newBatch[[32]byte](forMicrodescs),
	}
	s.tracks = []*track{s.md}
	for _, a := range cfg.Authorities {
		if a.Votes() && a.Fingerprint != cfg.Self {
			s.authorities = append(s.authorities, &authority{Authority: a})
		}
	}
	if cfg.Mirror != nil {
		s.mirror = newMirror(cfg.Mirror)
		s.tracks = append(s.tracks, s.mirror.ns)
	}
	s.published.Store(&published{changed: make(chan struct{})})
	return s
}

// View returns the network as it is believed to be, nil while there is not enough to build circuits from.
func (s *Sync) View() *netdir.View { return s.published.Load().view }

// Changed returns a channel that is closed when View answers differently.
func (s *Sync) Changed() <-chan struct{} { return s.published.Load().changed }

// minNudge keeps many requests from making as many downloads.
const minNudge = 10 * time.Second

// Nudge forgets how long failed downloads are to wait: somebody wants a circuit, and the network may be back.
func (s *Sync) Nudge() {
	s.do(func(now time.Time) {
		if !s.nudged.IsZero() && now.Sub(s.nudged) < minNudge {
			return
		}
		s.nudged = now
		s.forgetWaits()
	})
}

// Retry is Nudge for operators, who know what they do: it is not bounded.
func (s *Sync) Retry() { s.do(func(time.Time) { s.forgetWaits() }) }

func (s *Sync) forgetWaits() {
	for _, t := range s.tracks {
		t.cons.retry.reset()
		t.cons.authority.reset()
	}
	s.certFetch.retry.reset()
	s.mdFetch.nudge()
	s.mirror.nudge()
}

// do runs f in the owner goroutine, and reports whether it will.
func (s *Sync) do(f func(now time.Time)) bool {
	select {
	case s.msgs <- f:
		return true
	case <-s.done:
		return false
	}
}

// Run keeps the directory until ctx ends. It returns an error of its own only for what no retry can mend: a consensus
// that demands a protocol which this version does not speak.
func (s *Sync) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	s.ctx = ctx
	defer s.wg.Wait()
	defer close(s.done)
	defer cancel(context.Canceled)
	if err := s.load(time.Now()); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, err := s.work(s.cfg.Env.Now(), time.Now())
		if err != nil {
			return err
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case f := <-s.msgs:
			f(time.Now())
		case <-timer.C:
		}
	}
}

// work starts all downloads that are due and returns how long to wait before looking again. The wall clock, wall, decides
// on documents; now is for waits.
func (s *Sync) work(wall, now time.Time) (time.Duration, error) {
	if err := s.fatal(); err != nil {
		return 0, err
	}
	if s.md.current != nil && s.usable != s.md.usable(wall) {
		if s.usable {
			s.log.Log(s.ctx, safelog.LevelNotice, "Our directory information is no longer recent enough to build circuits with.")
		}
		s.reconsider()
	}
	next := maxWait
	for _, t := range s.tracks {
		next = min(next, s.fetchConsensus(t, wall, now))
	}
	for _, step := range []func(wall, now time.Time) time.Duration{
		s.fetchCerts, s.fetchMicrodescs, s.fetchMirrorCerts, s.fetchRouters, s.fetchExtraInfo,
	} {
		next = min(next, step(wall, now))
	}
	return max(next, 0), nil
}

// maxWait bounds the time between two looks at the wall clock, which may be set.
const maxWait = time.Minute

// publish shows the current view to everybody, if it is enough to build circuits from.
func (s *Sync) publish() {
	var v *netdir.View
	if s.enough {
		v = s.view
	}
	old := s.published.Load()
	if old.view == v {
		return
	}
	s.published.Store(&published{view: v, changed: make(chan struct{})})
	close(old.changed)
}

func (s *Sync) emit(e Event) {
	if s.cfg.Events != nil {
		s.cfg.Events.Publish(e)
	}
}
