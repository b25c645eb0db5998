package publish

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

const (
	lookupTimeout  = 30 * time.Second
	lookupInterval = 5 * time.Minute  // between two look-ups of a name
	learnInterval  = 20 * time.Minute // between two circuits to an authority (DUMMY_DOWNLOAD_INTERVAL in C tor)
)

// A search goes on for as long as the relay runs: addresses change. Its moments are for waits.
type search struct {
	sources
	byName map[string][]netip.Addr // what the operator's names resolved to last

	list    time.Time // when to list interfaces
	lookup  time.Time // when to look names up
	looking bool
	looked  bool // the names of the moment have been looked up at least once
	byHost  bool // this machine's name is of use
	strict  bool // the operator has said something else: the address of before may go
	learn   time.Time
}

// anew begins again, since the operator has said something else.
func (s *search) anew(names bool) {
	s.strict, s.looked, s.lookup = true, false, time.Time{}
	if names {
		s.named, s.byName = nil, nil
	}
}

// findAddrs finds out which addresses the relay has.
func (p *Publisher) findAddrs(wall, now time.Time) {
	s := &p.search
	if !now.Before(s.list) {
		s.list = now.Add(checkInterval)
		if list, err := p.cfg.Interfaces(); err == nil {
			s.system = list
		}
	}
	p.lookUp(now)
	if len(p.info.Names) > 0 && p.cfg.Lookup != nil && !s.looked {
		return // it will not take long
	}
	s.byHost = false
	for _, f := range p.families() {
		port := p.info.Port
		if f.v6 {
			port = p.info.Port6
		}
		if port == 0 {
			p.setAddr(f, netip.AddrPort{}, "", wall)
			continue
		}
		addr, by := p.info.guess(f.v6, &s.sources, f.or.Addr())
		s.byHost = s.byHost || by == Hostname || by == DirServer
		if !addr.IsValid() && by == DirServer && !f.v6 {
			p.learn(now)
		}
		if !addr.IsValid() && !f.v6 && !s.strict && f.or.IsValid() {
			addr, by = f.or.Addr(), f.method
		}
		p.mention(f, addr, port)
		if !addr.IsValid() {
			p.setAddr(f, netip.AddrPort{}, "", wall)
		} else {
			p.setAddr(f, netip.AddrPortFrom(addr, port), by, wall)
		}
	}
	s.strict = false
}

// setAddr makes an address that of a family, and does what follows from another one: tests begin anew, and so does uptime.
func (p *Publisher) setAddr(f *family, or netip.AddrPort, by Method, wall time.Time) {
	old := f.or
	if !f.set(or, by) {
		return
	}
	p.seen[index(f.v6)].Store(nil)
	p.own.Store(&own{[2]netip.Addr{p.v4.or.Addr(), p.v6.or.Addr()}, p.info.Private})
	switch {
	case old.Addr() == or.Addr():
		return // another port
	case !or.IsValid():
		p.notice(fmt.Sprintf("Our %s address %s is gone.", f, old.Addr()))
		return
	case !old.IsValid() && by.explicit(): // no news to the operator
	case !old.IsValid():
		p.notice(fmt.Sprintf("Guessed our IP address as %s (source: METHOD=%s).", or.Addr(), by))
	default:
		p.notice(fmt.Sprintf("Our IP Address has changed from %s to %s; rebuilding descriptor (source: METHOD=%s).", old.Addr(), or.Addr(), by))
		if p.uptime(wall) > movedUptime {
			p.bandwidth.again()
		}
		p.started = wall
	}
	p.tell(ExternalAddress{or.Addr(), by})
}

// mention warns, once for as long as it lasts, of an address that is missing, or that no ORPort is bound to.
func (p *Publisher) mention(f *family, addr netip.Addr, port uint16) {
	i := &p.info
	missing, other := "no address "+f.String(), "other address "+f.String()
	is := func(a netip.Addr) bool { return a.IsValid() && a.Is6() == f.v6 }
	if !addr.IsValid() {
		if said := slices.Concat(i.Addrs, p.search.named); slices.ContainsFunc(said, is) {
			p.once(missing, "Address '%s' is a private IP address. Tor relays that use the default DirAuthorities must have public IP addresses.",
				said[slices.IndexFunc(said, is)])
		} else if !p.told[missing] {
			p.told[missing] = true
			level, only := safelog.LevelWarn, "IPv6"
			if f.v6 { // which many machines do not have
				level, only = safelog.LevelNotice, "IPv4"
			}
			p.log.Log(p.ctx, level, fmt.Sprintf("Unable to find %s address for ORPort %d. You might want to specify %sOnly to it or set an explicit address or set Address.",
				f, port, only))
		}
		return
	}
	p.forget(missing)
	bound := slices.DeleteFunc(slices.Clone(i.Bound), func(a netip.Addr) bool { return !is(a) })
	if len(bound) == 0 || slices.ContainsFunc(bound, func(a netip.Addr) bool { return a == addr || a.IsUnspecified() }) {
		p.forget(other)
		return
	}
	p.once(other, "The %s ORPort address %s does not match the descriptor address %s. If the latter is right, and this machine is behind a NAT, write two lines, 'ORPort <PublicPort> NoListen' and 'ORPort <InternalPort> NoAdvertise'.",
		f, bound[0], addr)
}

// learn asks an authority for our address.
func (p *Publisher) learn(now time.Time) {
	s := &p.search
	if p.cfg.Learn == nil || !p.cfg.Ready() || now.Before(s.learn) {
		return
	}
	s.learn = now.Add(p.pace(learnInterval))
	p.start("address from an authority", testTimeout, p.cfg.Learn, func(err error) {
		if err != nil {
			p.log.Debug("no authority tells our address", "err", err)
		}
	})
}

// lookUp looks names up that are due. What does not resolve keeps its addresses.
func (p *Publisher) lookUp(now time.Time) {
	s := &p.search
	names := p.info.Names
	if len(names) == 0 && s.byHost {
		if name, err := os.Hostname(); err == nil {
			names = []string{name}
		}
	}
	if p.cfg.Lookup == nil || s.looking || len(names) == 0 || now.Before(s.lookup) {
		return
	}
	s.looking, s.lookup = true, now.Add(p.pace(lookupInterval))
	operators := len(p.info.Names) > 0
	asked := p.info.Names
	found, failed := map[string][]netip.Addr{}, map[string]error{}
	p.start("address look-up", lookupTimeout, func(ctx context.Context) error {
		for _, name := range names {
			addrs, err := p.cfg.Lookup(ctx, name)
			if err != nil {
				failed[name] = err
				continue
			}
			found[name] = slices.Clone(addrs)
			for i, a := range addrs {
				found[name][i] = a.Unmap()
			}
		}
		return nil
	}, func(err error) {
		s.looking = false
		switch {
		case !slices.Equal(asked, p.info.Names):
			return // SetInfo wants others
		case !operators:
			if addrs, ok := found[names[0]]; ok {
				s.host = addrs
			}
			return
		}
		s.looked = true
		p.took(names, found, failed)
	})
}

// took takes in what the operator's names resolved to.
func (p *Publisher) took(names []string, found map[string][]netip.Addr, failed map[string]error) {
	s := &p.search
	if len(failed) > 0 {
		s.lookup = time.Now().Add(p.pace(checkInterval))
	}
	old := s.byName
	s.byName, s.named = map[string][]netip.Addr{}, nil
	for _, name := range names {
		key := "name " + name
		addrs, ok := found[name]
		if ok {
			p.forget(key)
		} else {
			addrs = old[name]
			p.once(key, "Could not resolve local Address '%s': %v", name, failed[name])
		}
		s.byName[name] = addrs
		s.named = append(s.named, addrs...)
	}
}
