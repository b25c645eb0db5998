package publish

import (
	"context"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// A Publisher publishes the relay. Its methods are safe for concurrent use.
type Publisher struct {
	cfg  Config
	log  *slog.Logger
	msgs chan func(now time.Time)
	wake chan struct{} // holds a token when work is to look again
	done chan struct{}
	wg   sync.WaitGroup // tests and uploads
	seen [2]atomic.Bool // Reached, of IPv4 and IPv6

	current atomic.Pointer[Documents]

	// The goroutine in Run owns the fields below.
	ctx             context.Context
	info            Info
	started         time.Time
	v4, v6          family
	hints           []hint
	dirty           changes
	hibernating     bool
	bandwidthTested bool
	noAddress       bool // that has been told
	docs            *Documents
	built           time.Time // by the clock of waits
	targets         []*upload
}

// New returns a publisher. Run makes it work.
func New(cfg Config) *Publisher {
	if cfg.DummyTAP == nil {
		cfg.DummyTAP = func() bool { return true }
	}
	if cfg.Observed == nil {
		cfg.Observed = func() uint64 { return 0 }
	}
	if cfg.Overloaded == nil {
		cfg.Overloaded = func() time.Time { return time.Time{} }
	}
	if cfg.Ready == nil {
		cfg.Ready = func() bool { return true }
	}
	p := &Publisher{
		cfg: cfg, log: cfg.Env.Log, info: cfg.Info, msgs: make(chan func(time.Time)), wake: make(chan struct{}, 1), done: make(chan struct{}),
		v4: family{name: "IPv4"}, v6: family{name: "IPv6", v6: true},
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
	p.do(func(now time.Time) {
		same := reflect.DeepEqual(p.info, i) && p.docs != nil && slices.Equal(p.docs.policy, p.cfg.Policy(p.Addrs()))
		p.info = i
		if !same {
			p.dirty.mark("config change", now)
		}
	})
}

// Changed says that something else in the descriptor has changed, and what: keys, or a need to tell of overload.
func (p *Publisher) Changed(reason string) {
	p.do(func(now time.Time) { p.dirty.mark(reason, now) })
}

// Hibernate says whether the relay hibernates.
func (p *Publisher) Hibernate(on bool) {
	p.do(func(now time.Time) {
		if p.hibernating != on {
			p.hibernating = on
			p.dirty.mark("hibernation", now)
		}
	})
}

// Suggest takes note of an address that an authority, or another relay that is believed, sees us as.
func (p *Publisher) Suggest(addr netip.Addr, who string) {
	p.do(func(time.Time) { p.hints = addHint(p.hints, hint{addr.Unmap(), who}) })
}

// Check makes the publisher look again: the directory has changed.
func (p *Publisher) Check() { p.nudge() }

func (p *Publisher) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// do runs f in the owner goroutine, unless Run has ended. It must not be called from that goroutine.
func (p *Publisher) do(f func(now time.Time)) {
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

// Run publishes until ctx ends.
func (p *Publisher) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	p.ctx, p.started = ctx, p.cfg.Env.Now()
	defer p.wg.Wait()
	defer close(p.done)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(p.work(p.cfg.Env.Now(), time.Now()))
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

// work does all that is due, and returns how long to wait before looking again. The wall clock goes into documents; now is
// for waits.
func (p *Publisher) work(wall, now time.Time) time.Duration {
	p.v4.assumed, p.v6.assumed = p.info.AssumeIPv4, p.info.AssumeIPv6
	p.findAddrs(wall)
	p.takeReached(wall)
	next := min(time.Minute, p.test(&p.v4, now), p.test(&p.v6, now))
	if wait := p.rebuild(wall, now); wait > 0 {
		next = min(next, wait)
	}
	if p.docs != nil && p.publishable() {
		next = min(next, p.uploads(now))
	}
	return max(next, 0)
}

// findAddrs finds out which addresses the relay has.
func (p *Publisher) findAddrs(now time.Time) {
	var system []netip.Addr
	if len(p.info.Addrs) == 0 {
		system = systemAddrs()
	}
	for _, f := range []*family{&p.v4, &p.v6} {
		port := p.info.Port
		if f.v6 {
			port = p.info.Port6
		}
		var or netip.AddrPort
		if addr := p.info.guess(f.v6, system, p.hints); addr.IsValid() && port != 0 {
			or = netip.AddrPortFrom(addr, port)
		}
		old := f.or
		if !f.set(or, now) {
			continue
		}
		i := map[bool]int{true: 1}[f.v6]
		p.seen[i].Store(false)
		p.dirty.mark("IP address changed", now)
		if old.IsValid() {
			p.log.Log(p.ctx, safelog.LevelNotice, "Our address has changed", "family", f.name, "from", old, "to", or)
		}
	}
	if none := !p.v4.or.IsValid() && p.info.Port != 0; none != p.noAddress {
		p.noAddress = none
		if none && p.info.Publish {
			p.log.Warn("Cannot find out this relay's public IPv4 address, without which it cannot be published. Authorities may tell; else write an Address line.")
		}
	}
}

// publishable tells whether the descriptor may be given to authorities.
func (p *Publisher) publishable() bool {
	return p.info.Publish && p.v4.good()
}

// rebuild makes a new descriptor if there is a reason, and returns how long to wait if it is too early.
func (p *Publisher) rebuild(wall, now time.Time) time.Duration {
	if !p.v4.or.IsValid() {
		return 0 // a descriptor has an IPv4 address
	}
	if p.docs != nil {
		var listed time.Time
		if p.cfg.Listed != nil {
			listed = p.cfg.Listed()
		}
		if why := stale(p.docs, listed, p.cfg.Listed != nil && p.publishable(), wall); why != "" {
			p.dirty.mark(why, wall)
		}
		if bandwidthChanged(p.docs, p.cfg.Observed(), wall.Sub(p.started), wall) {
			p.dirty.mark("bandwidth has changed", wall)
		}
		if p.dirty.reason == "" {
			return 0
		}
		if wait := p.built.Add(p.pace(minInterval)).Sub(now); wait > 0 {
			return wait
		}
	}
	or6 := p.v6.or
	if !p.v6.good() {
		or6 = netip.AddrPort{}
	}
	reason := p.dirty.reason
	docs, err := p.build(p.v4.or, or6, reason, wall)
	p.built = now
	p.dirty = changes{}
	if err != nil {
		p.log.Warn("cannot make this relay's descriptor", "err", err)
		p.dirty.mark(reason, wall)
		return p.pace(minInterval)
	}
	p.docs = docs
	p.current.Store(docs)
	for _, u := range p.targets {
		u.next, u.wait = time.Time{}, 0
	}
	if p.cfg.Published != nil {
		p.cfg.Published(docs)
	}
	p.log.Info("new descriptor", "reason", reason, "authorities", len(p.targets))
	return 0
}
