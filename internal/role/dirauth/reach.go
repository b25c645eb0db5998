package dirauth

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// Reachability tests, as C tor has them (reachability.h): a part of the relays every few seconds, all of them in a cycle.
const (
	testParts   = 128
	maxTests    = 256 // at a time
	testTimeout = time.Minute
)

// ReachConfig is what tests of reachability need.
type ReachConfig struct {
	Log *slog.Logger
	Now func() time.Time
	// Off makes no tests: all relays count as reachable (AuthDirTestReachability 0, or AssumeReachable).
	Off bool
	// Ed25519 makes links prove Ed25519 identities too.
	Ed25519 bool
	IPv6    bool // test IPv6 addresses too: this host can reach them
	// Cycle is the time in which all relays are tested; flags.TestCycle if zero.
	Cycle time.Duration
	// Connect opens a link to a relay at one address, which proves what the target asks for, and closes it.
	Connect func(ctx context.Context, t link.Target) error
	// Reached is told of each relay that was reached over IPv4.
	Reached func(id [20]byte, at netip.AddrPort, now time.Time)
}

// A Reachability tests whether relays are where their descriptors say. Its methods are safe for concurrent use.
type Reachability struct {
	cfg   ReachConfig
	slots chan struct{} // holds a token for each test under way
	wg    sync.WaitGroup

	mu      sync.Mutex // a leaf; guards the rest
	last    map[[20]byte]*reached
	ctx     context.Context                     // of tests; nil until Run is running
	waiting map[[20]byte]*routerdesc.Descriptor // to test when it is
}

// reached is where a relay is, and when it was last reached there over IPv4 and IPv6; zero for never.
type reached struct {
	v4, v6      time.Time
	or, or6     netip.AddrPort
	hibernating bool
}

// NewReachability returns one that knows nothing. Run makes it work.
func NewReachability(cfg ReachConfig) *Reachability {
	return &Reachability{
		cfg: cfg, slots: make(chan struct{}, maxTests), last: map[[20]byte]*reached{}, waiting: map[[20]byte]*routerdesc.Descriptor{},
	}
}

// Run tests relays, one part after the other, until ctx ends.
func (r *Reachability) Run(ctx context.Context, relays func() []*routerdesc.Descriptor) {
	defer r.wg.Wait()
	if r.cfg.Off {
		<-ctx.Done()
		return
	}
	r.mu.Lock()
	r.ctx = ctx
	waiting := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	for _, d := range waiting {
		r.test(d)
	}
	tick := time.NewTicker(cmp.Or(r.cfg.Cycle, flags.TestCycle) / testParts)
	defer tick.Stop()
	for part := byte(0); ; part = (part + 1) % testParts {
		list := relays()
		for _, d := range list {
			if d.RSA[0]%testParts == part {
				r.test(d)
			}
		}
		if part == 0 {
			r.forgetBut(list)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// test connects to the addresses of a relay. Each test waits for its turn in a goroutine of its own.
func (r *Reachability) test(d *routerdesc.Descriptor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx := r.ctx
	if ctx == nil {
		r.waiting[d.RSA] = d
		return
	}
	if ctx.Err() != nil {
		return
	}
	for _, at := range []netip.AddrPort{d.OR, d.OR6} {
		if !at.IsValid() || at.Port() == 0 || at.Addr().Is6() && !r.cfg.IPv6 {
			continue
		}
		safego.Go(&r.wg, r.cfg.Log, "reachability test", func() {
			select {
			case r.slots <- struct{}{}:
				defer func() { <-r.slots }()
			case <-ctx.Done():
				return
			}
			r.connect(ctx, d, at)
		})
	}
}

func (r *Reachability) connect(ctx context.Context, d *routerdesc.Descriptor, at netip.AddrPort) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	t := link.Target{Addrs: []netip.AddrPort{at}, RSA: d.RSA, HasRSA: true}
	if r.cfg.Ed25519 {
		t.Ed, t.HasEd = d.Ed25519, true
	}
	if err := r.cfg.Connect(ctx, t); err != nil {
		r.cfg.Log.Debug("A relay was not reached", "relay", d.Nickname, "at", safelog.Of(at), "err", err)
		return
	}
	now := r.cfg.Now()
	r.mu.Lock()
	x, _ := r.ofLocked(d.RSA)
	if at.Addr().Is4() {
		x.v4 = now
	} else {
		x.v6 = now
	}
	r.mu.Unlock()
	if at.Addr().Is4() {
		r.cfg.Reached(d.RSA, at, now)
	}
}

// When tells when a relay was last reached.
func (r *Reachability) When(id [20]byte) (v4, v6 time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.last[id]; x != nil {
		return x.v4, x.v6
	}
	return v4, v6
}

// Changed tests a relay at once that is new, is somewhere else, or is back from hibernation
// (dirserv_should_launch_reachability_test in C tor).
func (r *Reachability) Changed(d *routerdesc.Descriptor) {
	r.mu.Lock()
	x, old := r.ofLocked(d.RSA)
	same := r.cfg.Off || old && x.or == d.OR && x.or6 == d.OR6 && (d.Hibernating || !x.hibernating)
	x.or, x.or6, x.hibernating = d.OR, d.OR6, d.Hibernating
	r.mu.Unlock()
	if !same {
		r.test(d)
	}
}

// ofLocked returns what is known of a relay, and whether it was known before.
func (r *Reachability) ofLocked(id [20]byte) (x *reached, old bool) {
	if x, old = r.last[id]; !old {
		x = new(reached)
		r.last[id] = x
	}
	return x, old
}

// forgetBut forgets relays that are not there any more.
func (r *Reachability) forgetBut(list []*routerdesc.Descriptor) {
	known := make(map[[20]byte]bool, len(list))
	for _, d := range list {
		known[d.RSA] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.last {
		if !known[id] {
			delete(r.last, id)
		}
	}
}
