package stats

import (
	"net/netip"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// clients counts addresses that connect.
type clients struct {
	mu  sync.Mutex // a leaf; guards the fields below
	on  bool
	ips addresses
}

// Client counts a link that somebody makes to us, from the moment it is accepted: who it is, is not known yet.
func (s *Stats) Client(addr netip.Addr) {
	cfg := s.cfg.Load()
	if !cfg.Entry || cfg.Countries == nil {
		return
	}
	country := cfg.Countries.Country(addr)
	c := &s.clients
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on {
		c.ips.add(addr, country)
	}
}

func (c *clients) reset(start time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.ips = !start.IsZero(), newAddresses()
}

func (c *clients) take(e *netdoc.Encoder, start, end time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	item(e, "entry-stats-end", start, end)
	e.Item("entry-ips").Rest(c.ips.String())
	c.ips = newAddresses()
}
