package flags

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/history"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Bridges get the flags that they have by themselves, and none that depend on others.
func TestBridges(t *testing.T) {
	cfg := publicConfig()
	cfg.Uptime = time.Minute // a vote would have no Running
	relays := network()
	relays[1].Status = approvedrouters.Invalid | approvedrouters.BadExit | approvedrouters.StripV2Dir
	relays[2].Trusted, relays[2].GeneralExit, relays[2].DirCache = true, true, false
	relays[3].Reached = now.Add(-45 * time.Minute)
	relays[4].Published = now.Add(-day - time.Second)
	relays[5].OR6 = ipv6(1)
	for i := range relays {
		relays[i].OR = netip.AddrPortFrom(relays[0].OR.Addr(), uint16(i+1)) // no Sybils
	}
	hist := watched(relays)
	vote := Bridges(cfg, relays, hist, now)
	for i, want := range []string{
		"Running V2Dir Valid", "BadExit Running V2Dir", "Authority Exit Running Valid", "V2Dir Valid", "Running V2Dir Valid", "Running V2Dir Valid",
	} {
		o := &vote.Relays[i]
		names := (&consensus.Consensus{KnownFlags: vote.KnownFlags}).Names(o.Flags)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("bridge %d: got %q, want %q", i, got, want)
		}
		if o.Listed != (i != 4) || o.IPv6 != (i == 5) {
			t.Errorf("bridge %d: listed %v, IPv6 %v", i, o.Listed, o.IPv6)
		}
	}
	// The thresholds are those of a vote on the same relays, if none of these were a Sybil.
	all := *cfg
	all.MaxServersPerAddr = 0
	if want := Decide(&all, relays, hist, now).Thresholds; vote.Thresholds != want || want.FastKB == 0 {
		t.Errorf("thresholds: got %v, want %v", vote.Thresholds, want)
	}
	if got, want := Bridges(cfg, nil, history.New(), now).Thresholds.String(), "stable-uptime=0 stable-mtbf=0 fast-speed=0 guard-wfu=0.000% guard-tk=0 "+
		"guard-bw-inc-exits=0 guard-bw-exc-exits=0 enough-mtbf=1 ignoring-advertised-bws=0"; got != want {
		t.Errorf("of none: got %s", got)
	}
}

// The history learns who is down, once we have been up for long enough to know.
func TestBridgesDown(t *testing.T) {
	for _, tt := range []struct {
		uptime time.Duration
		want   bool
	}{{time.Minute, false}, {time.Hour, true}} {
		cfg, relays := publicConfig(), network()[:1]
		cfg.Uptime = tt.uptime
		relays[0].Reached = now.Add(-2 * time.Hour)
		hist := watched(relays)
		before := hist.Figures(relays[0].ID, now)
		Bridges(cfg, relays, hist, now)
		if got := hist.Figures(relays[0].ID, now) != before; got != tt.want {
			t.Errorf("after %v: noted %v", tt.uptime, got)
		}
	}
}
