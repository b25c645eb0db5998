package publish

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/params"
)

const testTimeout = 2 * time.Minute

// own is what Incoming has to know, in the order IPv4, IPv6.
type own struct {
	addrs   [2]netip.Addr // invalid if there is none
	private bool
}

// Incoming takes note that a circuit was made over a link that we did not begin: seen is our address as the peer sees it, in
// NETINFO, and peer is the peer's. If seen is an address that we want to publish, and the peer is not next door, then others
// can reach us there. It does not block, and costs next to nothing once that is known, so that it may be called for each
// CREATE.
//
// C tor: onionskin_answer.
func (p *Publisher) Incoming(seen, peer netip.Addr) {
	seen, peer = seen.Unmap(), peer.Unmap()
	o := p.own.Load()
	v6 := seen.Is6()
	if o == nil || !seen.IsValid() || seen != o.addrs[index(v6)] || peer.Is6() != v6 || !o.private && isNear(peer, seen) {
		return
	}
	p.reached(v6, seen)
}

// Reached takes note that somebody has come in by an ORPort and made a circuit. It does not block. [Publisher.Incoming] is for
// those who have to find out whether that counts.
func (p *Publisher) Reached(v6 bool) {
	if o := p.own.Load(); o != nil && o.addrs[index(v6)].IsValid() {
		p.reached(v6, o.addrs[index(v6)])
	}
}

func (p *Publisher) reached(v6 bool, addr netip.Addr) {
	seen := &p.seen[index(v6)]
	if old := seen.Load(); old == nil || *old != addr {
		now := addr // of its own, so that nothing is allocated otherwise
		seen.Store(&now)
		p.nudge()
	}
}

func index(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// takeReached acts on what Incoming and Reached have noted.
func (p *Publisher) takeReached(wall time.Time) {
	for _, f := range p.families() {
		addr := p.seen[index(f.v6)].Load()
		if f.reached || addr == nil || !f.or.IsValid() || *addr != f.or.Addr() {
			continue
		}
		f.reached = true
		if p.info.assumes(f.v6) {
			continue // nobody has asked
		}
		text := ""
		if p.info.Publish && p.good(&p.v4) && !p.cfg.Skewed() {
			text = " Publishing server descriptor."
		}
		p.notice(fmt.Sprintf("Self-testing indicates your ORPort %s is reachable from the outside. Excellent.%s", f.or, text))
		p.tell(Reachable{f.or})
		if p.docs != nil && wall.Sub(p.docs.Published) > freshEnough {
			p.schedule.mark(reasonReachable)
		}
	}
}

// freshEnough is how old a descriptor may be that nobody has been given yet.
const freshEnough = time.Hour

// good tells whether an address may be published: it was found reachable, or the operator says that it is, or the
// authorities do not want relays to find out.
func (p *Publisher) good(f *family) bool {
	ps := p.net.Params
	assumed := ps.Of(assumeReachable) != 0 || f.v6 && ps.Of(assumeReachableIPv6) != 0
	return f.or.IsValid() && (f.reached || p.info.assumes(f.v6) || assumed)
}

// test begins the self-tests that are due.
func (p *Publisher) test(now time.Time) {
	if p.hibernating || !p.cfg.Ready() {
		return
	}
	for _, f := range p.families() {
		if p.doubts(f) {
			p.testFamily(f, now)
		}
	}
	p.warn(now)
	if p.good(&p.v4) && p.cfg.TestBandwidth != nil && p.bandwidth.test(p.observed(), p.info.rate(), now) {
		p.testBandwidth()
	}
}

// doubts tells whether to find out if an address can be reached.
func (p *Publisher) doubts(f *family) bool {
	return f.or.IsValid() && !f.reached && !p.info.assumes(f.v6) && p.info.Publish && p.cfg.Test != nil
}

func (p *Publisher) testFamily(f *family, now time.Time) {
	if f.begin(now, p.pace(maxPatience)) {
		p.notice(fmt.Sprintf("Now checking whether %s ORPort %s is reachable... (this may take up to %d minutes -- look for log messages indicating success)",
			f, f.or, int(maxPatience.Minutes())))
		p.tell(Checking{f.or})
	}
	if !f.test(now, p.pace) {
		return
	}
	or := f.or
	p.start("reachability test", testTimeout, func(ctx context.Context) error { return p.cfg.Test(ctx, or) }, func(err error) {
		if err != nil {
			p.log.Debug("self-test of the ORPort failed", "address", or, "err", err)
		}
		if f.or == or {
			f.testing = false
		}
	})
}

// warn tells of ORPorts that nobody could reach for long.
func (p *Publisher) warn(now time.Time) {
	var where []string
	for _, f := range p.families() {
		if !p.doubts(f) || !f.hopeless(now, p.pace(maxPatience)) {
			continue
		}
		p.tell(Unreachable{f.or})
		if !f.v6 || !p.good(&p.v4) {
			where = append(where, f.or.String())
			continue
		}
		// The relay is published, if not with this address.
		level := safelog.LevelNotice
		if f.method.explicit() {
			level = safelog.LevelWarn
		}
		p.log.Log(p.ctx, level, fmt.Sprintf("IPv6 address %s has not been found reachable. However, IPv4 address is reachable. Publishing server descriptor without IPv6 address.", f.or))
		f.warn = now.Add(p.pace(lateWarning))
	}
	if len(where) > 0 {
		p.log.Warn(fmt.Sprintf("Your server has not managed to confirm reachability for its ORPort(s) at %s. Relays do not publish descriptors until their ORPort(s) are reachable. Please check your firewalls, ports, address, /etc/hosts file, etc.",
			strings.Join(where, " and ")))
	}
}

// lateWarning is between warnings about an address that the relay does without.
const lateWarning = 24 * time.Hour

func (p *Publisher) testBandwidth() {
	p.start("bandwidth test", testTimeout, p.cfg.TestBandwidth, func(err error) {
		if p.bandwidth.ended(err == nil, time.Now(), p.pace); err != nil {
			p.log.Debug("bandwidth self-test failed", "err", err)
			return
		}
		p.notice("Performing bandwidth self-test...done.")
	})
}

// start runs f in a goroutine, and then ended in the owner's, unless that has ended.
func (p *Publisher) start(name string, timeout time.Duration, f func(context.Context) error, ended func(error)) {
	ctx := p.ctx
	safego.Go(&p.wg, p.log, name, func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err := errPanic
		safego.Run(p.log, name, func() { err = f(ctx) })
		p.do(func(time.Time) { ended(err) })
	})
}

// dummyTAP tells whether the descriptor gets an RSA onion key. Authorities of today refuse it without one.
func (p *Publisher) dummyTAP() bool { return p.net.Params.Of(params.PublishDummyTAP) != 0 }
