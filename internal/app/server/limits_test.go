package server

import (
	"errors"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/role/accounting"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// A relay that has used up what accounting gives it closes its links, and its node has no way to the network any more.
func TestDormant(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Accounting = accounting.Config{Max: 1000} })
	if c, err := b.server.Net().Dial(t.Context(), "tcp", serverAddr.String()); err != nil {
		t.Error("before: ", err)
	} else {
		c.Close()
	}
	u := b.user("192.0.2.2")
	if _, err := u.link(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(u.links.Links()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the link stays open")
		}
	}
	if _, err := b.server.Net().Dial(t.Context(), "tcp", serverAddr.String()); !errors.Is(err, errDormant) {
		t.Errorf("dial while dormant: %v", err)
	}
	if _, err := b.user("192.0.2.3").link(t.Context(), b); err == nil {
		t.Error("a dormant relay takes links")
	}
}

// The consensus has limits for links to clients, and a half-life; the operator knows better.
func TestConsensusLimits(t *testing.T) {
	p, err := params.Parse(netdoc.Args("CircuitPriorityHalflifeMsec=5000 perconnbwburst=9000 perconnbwrate=4000"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		own      link.Limits
		ownHalf  time.Duration
		want     link.Limits
		wantHalf time.Duration
	}{
		{"nothing set", link.Limits{Rate: 1e6, Burst: 2e6}, 0, link.Limits{Rate: 1e6, Burst: 2e6, PerConnRate: 4000, PerConnBurst: 9000}, 5 * time.Second},
		{"all set", link.Limits{PerConnRate: 7, PerConnBurst: 8}, time.Second, link.Limits{PerConnRate: 7, PerConnBurst: 8}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, func(c *Config) { c.Limits, c.HalfLife = tt.own, tt.ownHalf })
			b.server.setLimits(p)
			if got := b.server.links.Limits(); got != tt.want {
				t.Errorf("limits %+v, want %+v", got, tt.want)
			}
			if got := b.server.queueParams(p).HalfLife; got != tt.wantHalf {
				t.Errorf("half-life %v, want %v", got, tt.wantHalf)
			}
		})
	}
}

// A relay ends when the network requires of relays what it does not have.
func TestShutOut(t *testing.T) {
	b := newBed(t, nil)
	c := &consensus.Consensus{ValidAfter: time.Now(), RequiredRelay: protover.MustParse("Link=4-5 LinkAuth=3")}
	if err := b.server.shutOut(c); err != nil {
		t.Error(err)
	}
	c.RequiredRelay = protover.MustParse("Link=4-5 Relay=2-60")
	var e *dirsync.ProtocolsError
	if err := b.server.shutOut(c); !errors.As(err, &e) || e.Of != "relays" || e.Missing.IsEmpty() {
		t.Errorf("required protocols that are missing: %v", err)
	}
	c.ValidAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := b.server.shutOut(c); err != nil {
		t.Errorf("a consensus from before this version was made: %v", err)
	}
}
