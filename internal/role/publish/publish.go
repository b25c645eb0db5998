package publish

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// A Publisher publishes the relay. Its methods are safe for concurrent use.
//
// Two clocks are at work, and so many functions take one of two moments: wall goes into documents, now is for waits.
type Publisher struct {
	cfg  Config
	log  *slog.Logger
	msgs chan func(wall time.Time)
	wake chan struct{} // holds a token when work is to look again
	done chan struct{}
	wg   sync.WaitGroup // tests, uploads and look-ups

	current atomic.Pointer[Documents]
	own     atomic.Pointer[own]
	seen    [2]atomic.Pointer[netip.Addr] // where somebody has come in, over IPv4 and IPv6
	checked atomic.Bool                   // the directory has changed

	// The goroutine in Run owns the fields below.
	ctx         context.Context
	info        Info
	started     time.Time // wall
	net         Network
	v4, v6      family
	search      search
	schedule    schedule
	bandwidth   bandwidthTest
	hibernating bool
	noDirCache  string // why not
	docs        *Documents
	built       time.Time
	targets     []*upload
	told        map[string]bool // see once
}

// New returns a publisher. Run makes it work.
func New(cfg Config) *Publisher {
	p := &Publisher{
		cfg: cfg.withDefaults(), log: cfg.Env.Log, info: cfg.Info,
		msgs: make(chan func(time.Time)), wake: make(chan struct{}, 1), done: make(chan struct{}),
		v6: family{v6: true}, told: map[string]bool{},
	}
	if p.cfg.Post == nil {
		p.cfg.Post = p.postHTTP
	}
	for _, a := range cfg.Authorities {
		p.targets = append(p.targets, &upload{authority: a})
	}
	return p
}

// Current returns the relay's documents; nil if there are none yet.
func (p *Publisher) Current() *Documents { return p.current.Load() }

// Addrs are the relay's addresses, as it tells them to other relays.
func (p *Publisher) Addrs() (list []netip.Addr) {
	if d := p.Current(); d != nil {
		for _, a := range []netip.AddrPort{d.OR, d.OR6} {
			if a.IsValid() {
				list = append(list, a.Addr())
			}
		}
	}
	return list
}

// SetInfo takes over what the operator says now. The policy is asked for again.
func (p *Publisher) SetInfo(i Info) {
	p.do(func(time.Time) {
		same := reflect.DeepEqual(i, p.info)
		if !same {
			p.search.anew(!slices.Equal(i.Names, p.info.Names))
			p.info = i
		}
		if !same || p.docs != nil && !slices.Equal(p.docs.policy, p.policy()) {
			p.schedule.mark("config change")
		}
	})
}

// Changed says that something in the descriptor has changed that the publisher cannot see, and what, such as that names
// cannot be looked up for streams any more. Of keys, bandwidth and overload [Publisher.Check] is enough.
func (p *Publisher) Changed(reason string) {
	p.do(func(time.Time) { p.schedule.mark(reason) })
}

// Hibernate says whether the relay hibernates. Uptime begins anew when it wakes up. A relay that is about to exit does not
// hibernate, since it may be back in a moment.
func (p *Publisher) Hibernate(on bool) {
	p.do(func(wall time.Time) {
		if p.hibernating && !on {
			p.started = wall
		}
		p.hibernating = on
	})
}

// Suggest takes note of an address that an authority sees us as. The caller has made sure that it is one, as C tor does: by its
// proven identity and, if nobody else vouches for that, its address.
func (p *Publisher) Suggest(addr netip.Addr, who string) {
	p.do(func(time.Time) { p.addHint(addr.Unmap(), who) })
}

// Check makes the publisher look again: the directory has changed, or something else that Config tells of.
func (p *Publisher) Check() {
	p.checked.Store(true)
	p.nudge()
}

func (p *Publisher) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// do runs f in the owner goroutine, unless Run has ended. It must not be called from that goroutine.
func (p *Publisher) do(f func(wall time.Time)) {
	select {
	case p.msgs <- f:
	case <-p.done:
	}
}

// pace is how long to wait for what takes d in the public network.
func (p *Publisher) pace(d time.Duration) time.Duration {
	if p.info.Private {
		return d / 20
	}
	return d
}

func (p *Publisher) families() [2]*family { return [2]*family{&p.v4, &p.v6} }

func (p *Publisher) uptime(wall time.Time) time.Duration { return max(wall.Sub(p.started), 0) }

func (p *Publisher) notice(text string) { p.log.Log(p.ctx, safelog.LevelNotice, text) }

// once logs a warning, unless it was logged since forget.
func (p *Publisher) once(key, format string, args ...any) {
	if !p.told[key] {
		p.told[key] = true
		p.log.Warn(fmt.Sprintf(format, args...))
	}
}

// forget says that what once has warned of is over.
func (p *Publisher) forget(key string) { delete(p.told, key) }

// Run publishes until ctx ends. It returns after all that it has started is over.
func (p *Publisher) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	p.ctx, p.started = ctx, p.cfg.Env.Now()
	defer p.wg.Wait()
	defer close(p.done)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(p.work(p.cfg.Env.Now(), time.Now())))
		select {
		case <-ctx.Done():
			return
		case f := <-p.msgs:
			f(p.cfg.Env.Now())
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// checkInterval is between two looks at what nobody tells of (CHECK_DESCRIPTOR_INTERVAL in C tor).
const checkInterval = time.Minute

// work does all that is due, and returns when to look again.
func (p *Publisher) work(wall, now time.Time) (next time.Time) {
	p.net = p.cfg.Network(wall)
	if p.checked.Swap(false) {
		for _, f := range p.families() {
			f.hurry(p.pace)
		}
	}
	p.findAddrs(wall, now)
	p.takeReached(wall)
	next = sooner(now.Add(checkInterval), p.rebuild(wall, now))
	p.test(now)
	for _, f := range p.families() {
		if at := f.due(); at.After(now) { // else something keeps it from being tested
			next = sooner(next, at)
		}
	}
	if at := p.bandwidth.next; at.After(now) {
		next = sooner(next, at)
	}
	if p.docs != nil && p.publishable() {
		next = sooner(next, p.uploads(now))
	}
	return next
}

// sooner returns the earlier of two moments; the zero time is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// publishable tells whether the descriptor may be given to authorities (decide_if_publishable_server in C tor). One that
// still has the address before is not, but for the moment it takes to make another.
func (p *Publisher) publishable() bool {
	return p.info.Publish && p.good(&p.v4) && p.docs.OR == p.v4.or && !p.cfg.Skewed()
}

// rebuild makes a new descriptor if there is a reason. If it is too early for one, it returns when.
func (p *Publisher) rebuild(wall, now time.Time) (at time.Time) {
	if !p.v4.or.IsValid() {
		return at // a descriptor has an IPv4 address
	}
	f := p.facts()
	if p.docs == nil {
		p.schedule.mark("Tor just started")
	} else {
		p.schedule.check(p.docs, &f, &p.net, p.uptime(wall), p.info.Private, wall)
	}
	if p.schedule.reason == "" {
		return at
	}
	if early := p.built.Add(p.pace(minInterval)); !p.built.IsZero() && early.After(now) {
		return early
	}
	p.built = now
	docs, err := p.build(f, p.schedule.reason, wall)
	if err != nil {
		p.once("descriptor", "Cannot make this relay's descriptor: %v", err)
		return now.Add(p.pace(minInterval))
	}
	p.forget("descriptor")
	p.log.Debug("new descriptor", "reason", p.schedule.reason)
	p.schedule.reason = ""
	p.docs = docs
	p.current.Store(docs)
	for _, u := range p.targets {
		u.renew()
	}
	if p.cfg.Published != nil {
		p.cfg.Published(docs)
	}
	p.tell(Made{docs})
	return time.Time{}
}

// addHint takes note of what an authority says.
func (p *Publisher) addHint(addr netip.Addr, who string) {
	theirs := func(u *upload) bool {
		return slices.ContainsFunc(u.authority.Dir, func(a netip.AddrPort) bool { return a.Addr() == addr })
	}
	if inet.IsPublic(addr) && !slices.ContainsFunc(p.targets, theirs) { // nobody has our address but us
		p.search.hints = addHint(p.search.hints, hint{addr, who, time.Now()})
	}
}
