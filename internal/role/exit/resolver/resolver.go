package resolver

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

// A Resolver looks names up. Its methods are safe for concurrent use.
//
// Look-ups need no Run, which does what makes them good: it finds out that servers are well again, and that they lie.
type Resolver struct {
	cfg    Config
	net    netx.Network
	log    *slog.Logger
	slots  chan struct{} // has an element for each look-up that asks servers
	wake   chan struct{} // holds a token when a server went down
	reread chan struct{} // holds a token when the servers have changed

	override   atomic.Pointer[limits]
	hijack     atomic.Pointer[hijack] // replaced when the servers change
	v6         familyWatch
	counts     counts
	caseWarned atomic.Bool

	mu         sync.Mutex // guards the fields below; a leaf
	cache      *cache
	flights    map[question]*flight
	servers    *serverSet // nil before the first Reload, and after a failed one if there are none to go on with
	loaded     bool       // Reload was called
	confFailed bool       // the last Reload failed, or fell back
}

// New returns a resolver. It reads and asks nothing.
func New(cfg Config) *Resolver {
	cfg = cfg.withDefaults()
	r := &Resolver{
		cfg: cfg, net: cfg.Env.Net, log: cfg.Env.Log,
		slots:   make(chan struct{}, cfg.MaxInflight),
		wake:    make(chan struct{}, 1),
		reread:  make(chan struct{}, 1),
		cache:   newCache(cfg.MaxCached),
		flights: make(map[question]*flight),
	}
	r.hijack.Store(newHijack())
	return r
}

// Run probes servers that are down, tests whether servers lie, and forgets expired answers, until ctx ends. Only an exit
// needs the tests.
func (r *Resolver) Run(ctx context.Context) error {
	r.current() // reads resolv.conf
	var wg sync.WaitGroup
	for _, loop := range []struct {
		name string
		run  func(context.Context)
	}{{"resolver probes", r.probeLoop}, {"resolver tests", r.testLoop}, {"resolver housekeeping", r.keepHouse}} {
		safego.Go(&wg, r.log, loop.name, func() {
			// A panic must not end the loop for good, nor make it a busy one.
			for ctx.Err() == nil && safego.Run(r.log, loop.name, func() { loop.run(ctx) }) {
				sleep(ctx, time.Minute)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// houseInterval is how often Run drops expired answers and, if resolv.conf was unusable, tries it again; the latter is
// RETRY_DNS_INTERVAL in C tor.
const houseInterval = 10 * time.Minute

func (r *Resolver) keepHouse(ctx context.Context) {
	for sleep(ctx, houseInterval) {
		r.mu.Lock()
		r.cache.purge(time.Now())
		failed := r.confFailed
		r.mu.Unlock()
		if failed {
			r.Reload() // which logs what is wrong
		}
	}
}

// Memory returns how many answers are cached, and about how many bytes they take.
func (r *Resolver) Memory() (answers, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cache.entries), r.cache.bytes
}

// Shrink drops cached answers, those that expire first, until about n bytes are free or none are left. It returns how
// many bytes that were.
func (r *Resolver) Shrink(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cache.shrink(n)
}

// sleep waits for d. It reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// poke puts a token into a channel that has room for one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
