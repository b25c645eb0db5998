package dirauth

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// The texts are those of a bridge authority of C tor (test/interop compares them live).
func TestBridges(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	bridge := func(id byte, change func(*routerdesc.Descriptor)) Relay {
		d := &routerdesc.Descriptor{
			Nickname: "bridge" + string('0'+rune(id)), RSA: [20]byte{id}, Digest: [20]byte{id, 7}, Published: now.Add(-time.Hour), DirCache: true,
			OR: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, id}), 443), Policy: exitpolicy.Policy{},
		}
		d.Bandwidth.Rate, d.Bandwidth.Observed = 5e6, 3e6
		if change != nil {
			change(d)
		}
		return Relay{Descriptor: d}
	}
	list := []Relay{
		bridge(1, func(d *routerdesc.Descriptor) { d.OR6 = netip.MustParseAddrPort("[2001:db8::1]:443") }),
		bridge(2, func(d *routerdesc.Descriptor) { d.Published = now.Add(-24*time.Hour - time.Second) }), // is not listed
		bridge(3, func(d *routerdesc.Descriptor) { d.DirPort, d.Bandwidth.Observed = 80, 999 }),
	}
	list[2].Status = approvedrouters.Invalid
	live := func() *consensus.Consensus { return nil }
	files := new(statefile.Mem)
	memory := OpenMemory(slog.New(slog.DiscardHandler), files, func() time.Time { return now }, live, false)
	reach := NewReachability(ReachConfig{Log: slog.New(slog.DiscardHandler)})
	reach.last[[20]byte{1}] = &reached{v4: now.Add(-time.Minute)}
	b := NewBridges(BridgeConfig{
		Flags: flags.Config{TestReachability: true, MinMeasuredBWs: 500}, Start: now.Add(-time.Minute), Bridges: func() []Relay { return list }, Live: live,
	}, reach, memory)
	const entries = `r bridge1 AQAAAAAAAAAAAAAAAAAAAAAAAAA AQcAAAAAAAAAAAAAAAAAAAAAAAA 2026-11-27 11:00:00 192.0.2.1 443 0
a [2001:db8::1]:443
s Running V2Dir Valid
w Bandwidth=3000
p reject 1-65535
r bridge3 AwAAAAAAAAAAAAAAAAAAAAAAAAA AwcAAAAAAAAAAAAAAAAAAAAAAAA 2026-11-27 11:00:00 192.0.2.3 443 80
s V2Dir
w Bandwidth=0
p reject 1-65535
`
	if diff := cmp.Diff(entries, string(b.List(now))); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	const head = `published 2026-11-27 12:00:00
flag-thresholds stable-uptime=3600 stable-mtbf=0 fast-speed=3000000 guard-wfu=0.000% guard-tk=0 guard-bw-inc-exits=3000000 guard-bw-exc-exits=3000000 enough-mtbf=0 ignoring-advertised-bws=0
fingerprint 0900000000000000000000000000000000000000
`
	if diff := cmp.Diff(head+entries, string(b.File([20]byte{9}, now))); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}
