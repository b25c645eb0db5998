package publish

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// A family is what is known of the relay's address over IPv4, or over IPv6.
type family struct {
	name      string // in the log
	v6        bool
	or        netip.AddrPort // invalid if there is none
	assumed   bool
	reached   bool      // somebody has come in by it since it is ours
	since     time.Time // when it became ours
	warned    time.Time
	testing   bool
	nextTest  time.Time
	announced bool
}

// good tells whether the address may be published.
func (f *family) good() bool { return f.or.IsValid() && (f.reached || f.assumed) }

// set gives the family another address, and tells whether it is another one.
func (f *family) set(or netip.AddrPort, now time.Time) bool {
	if f.or == or {
		return false
	}
	*f = family{name: f.name, v6: f.v6, or: or, assumed: f.assumed, since: now}
	return true
}

const testTimeout = 2 * time.Minute

// test begins a self-test if one is due, and returns how long to wait for the next.
func (p *Publisher) test(f *family, now time.Time) time.Duration {
	if !f.or.IsValid() || f.reached || f.assumed || !p.info.Publish || p.cfg.Test == nil || !p.cfg.Ready() {
		return time.Hour
	}
	if !f.announced {
		f.announced = true
		p.log.Log(p.ctx, safelog.LevelNotice, fmt.Sprintf("Now checking whether %s ORPort %s is reachable... (this may take up to %d minutes -- look for log messages indicating success)",
			f.name, f.or, int(maxPatience.Minutes())))
		f.since, f.warned = now, now
	}
	if now.Sub(f.warned) >= maxPatience {
		f.warned = now
		p.log.Warn(fmt.Sprintf("Your server has not managed to confirm reachability for its ORPort(s) at %s. Relays do not publish descriptors until their ORPort and DirPort are reachable. Please check your firewalls, ports, address, /etc/hosts file, etc.", f.or))
	}
	if f.testing {
		return time.Hour
	}
	if wait := f.nextTest.Sub(now); wait > 0 {
		return wait
	}
	f.testing = true
	f.nextTest = now.Add(p.pace(retestInterval))
	or, ctx := f.or, p.ctx
	safego.Go(&p.wg, p.log, "reachability test", func() {
		ctx, cancel := context.WithTimeout(ctx, testTimeout)
		defer cancel()
		err := errPanic
		safego.Run(p.log, "reachability test", func() { err = p.cfg.Test(ctx, or) })
		if err != nil {
			p.log.Info("self-test of the ORPort failed", "address", or, "err", err)
		}
		p.do(func(time.Time) { f.testing = false })
	})
	return p.pace(retestInterval)
}

// Reached takes note that somebody has come in by an ORPort and made a circuit. It does not block.
func (p *Publisher) Reached(v6 bool) {
	i := 0
	if v6 {
		i = 1
	}
	if p.seen[i].Load() {
		return
	}
	p.seen[i].Store(true)
	p.nudge()
}

// takeReached acts on what Reached has noted.
func (p *Publisher) takeReached(now time.Time) {
	for i, f := range []*family{&p.v4, &p.v6} {
		if !p.seen[i].Load() || f.reached || !f.or.IsValid() {
			continue
		}
		f.reached = true
		text := ""
		if p.info.Publish {
			text = " Publishing server descriptor."
		}
		p.log.Log(p.ctx, safelog.LevelNotice, fmt.Sprintf("Self-testing indicates your %sORPort %s is reachable from the outside. Excellent.%s",
			map[bool]string{true: "IPv6 "}[f.v6], f.or, text))
		if f.v6 { // the descriptor did not have it
			p.dirty.mark("ORPort found reachable", now)
		}
	}
	if (p.v4.good() || p.v6.good()) && !p.bandwidthTested && p.cfg.TestBandwidth != nil && p.cfg.Ready() {
		p.bandwidthTested = true
		ctx := p.ctx
		safego.Go(&p.wg, p.log, "bandwidth test", func() {
			ctx, cancel := context.WithTimeout(ctx, testTimeout)
			defer cancel()
			if err := p.cfg.TestBandwidth(ctx); err != nil {
				p.log.Info("bandwidth self-test failed", "err", err)
				return
			}
			p.log.Log(ctx, safelog.LevelNotice, "Performing bandwidth self-test...done.")
		})
	}
}
