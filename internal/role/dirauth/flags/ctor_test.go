package flags

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/history"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/bwfile"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// recorded is what an authority voted, and what it knew.
type recorded struct {
	now         time.Time
	started     time.Time
	header      map[string]string   // keyword -> arguments
	entries     map[string][]string // nickname -> lines s, w and stats
	reached     map[string]time.Time
	hist        *history.History
	bandwidths  *bwfile.Cache
	approved    *approvedrouters.List
	descriptors []*routerdesc.Descriptor
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return data
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(netdoc.TimeLayout, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func load(t *testing.T, dir string) *recorded {
	t.Helper()
	r := &recorded{header: map[string]string{}, entries: map[string][]string{}, reached: map[string]time.Time{}, bandwidths: new(bwfile.Cache)}
	nick := ""
	for line := range strings.Lines(string(read(t, dir, "vote"))) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "r":
			nick, _, _ = strings.Cut(rest, " ")
		case "s", "w", "stats":
			r.entries[nick] = append(r.entries[nick], word+" "+rest)
		default:
			r.header[word] = rest
		}
	}
	r.now = at(t, r.header["published"])
	for line := range strings.Lines(string(read(t, dir, "reached"))) {
		id, when, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		r.reached[id] = at(t, when)
	}
	r.started = r.reached["started"]
	stability := read(t, dir, "router-stability")
	stored, _, _ := strings.Cut(string(stability[len("format 2\nstored-at "):]), "\n")
	var warnings []error
	var err error
	if r.hist, warnings, err = history.Parse(stability, at(t, stored)); err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	file, err := bwfile.Parse(read(t, dir, "bandwidths"), r.now)
	if err != nil {
		t.Fatal(err)
	}
	r.bandwidths.Update(file, r.now)
	if r.approved, warnings, err = approvedrouters.Parse("approved-routers", read(t, dir, "approved-routers")); err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	for e := range doclist.Split(read(t, "descriptors"), "router") {
		d, err := routerdesc.Parse(e.Text)
		if err != nil {
			t.Fatal(err)
		}
		r.descriptors = append(r.descriptors, d)
	}
	return r
}

// relay is what the authority knew of the relay with a descriptor.
func (r *recorded) relay(d *routerdesc.Descriptor, own string) Relay {
	x := FromDescriptor(d, true)
	x.Own, x.Trusted = d.Nickname == own, strings.HasPrefix(d.Nickname, "authority")
	x.MeasuredKB, x.Measured = r.bandwidths.Get(d.RSA)
	x.Reached = r.reached[fmt.Sprintf("%X", d.RSA)]
	x.Status = r.approved.Status(d.RSA, d.Ed25519)
	return x
}

func set(t *testing.T, s string) torrc.NodeSet {
	t.Helper()
	v, err := torrc.ParseNodeSet(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const day = 24 * time.Hour

// TestAgainstCTor votes on what two C tors voted on, and wants the same.
// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
func TestAgainstCTor(t *testing.T) {
	common := Config{
		Testing: true, TestReachability: true, MinMeasuredBWs: 500, GuardBwThresholdFraction: 0.75, GuardGuaranteeTimeKnown: 8 * day,
		GuardGuaranteeWFU: 0.98, StableGuaranteeMinUptime: 30 * day, StableGuaranteeMTBF: 5 * day, GuardBWGuarantee: 2 << 20,
	}
	mtbf := common
	mtbf.ListBadExits, mtbf.ListMiddleOnly = true, true
	mtbf.TestingVoteGuard, mtbf.TestingVoteHSDir = Forced{Set: set(t, "relay4")}, Forced{Set: set(t, "exit3")}
	mtbf.FastGuarantee, mtbf.GuardBWGuarantee = 2<<20, 3<<20
	mtbf.MinUptimeHidServDirectoryV2 = 20 * time.Second
	mtbf.TestingMinExitFlagThreshold = 10 << 10
	uptime := common
	uptime.MinMeasuredBWs, uptime.MaxServersPerAddr = 3, 8
	uptime.TestingVoteGuard, uptime.TestingVoteExit = Forced{Set: set(t, "relay9")}, Forced{Set: set(t, "relay1")}
	uptime.TestingVoteHSDir = Forced{set(t, "relay3,exit1"), true}
	uptime.TestingMinFastFlagThreshold = 30 << 10

	for _, tc := range []struct {
		dir, own string
		cfg      Config
	}{{"mtbf", "authority2", mtbf}, {"uptime", "authority3", uptime}} {
		t.Run(tc.dir, func(t *testing.T) {
			r := load(t, tc.dir)
			tc.cfg.Uptime = r.now.Sub(r.started)
			var relays []Relay
			for _, d := range r.descriptors {
				relays = append(relays, r.relay(d, tc.own))
			}
			vote := Decide(&tc.cfg, relays, r.hist, r.now)
			if got, want := vote.Thresholds.String(), r.header["flag-thresholds"]; got != want {
				t.Errorf("flag-thresholds:\n got %s\nwant %s", got, want)
			}
			if got, want := strings.Join(vote.KnownFlags, " "), r.header["known-flags"]; got != want {
				t.Errorf("known-flags: got %s, want %s", got, want)
			}
			if len(relays) != len(r.entries) {
				t.Errorf("%d relays, want %d", len(relays), len(r.entries))
			}
			names := &consensus.Consensus{KnownFlags: vote.KnownFlags}
			for i, o := range vote.Relays {
				got := []string{
					strings.TrimSpace("s " + strings.Join(names.Names(o.Flags), " ")),
					fmt.Sprintf("w Bandwidth=%d", relays[i].AdvertisedKB()),
					"stats " + o.Stats(),
				}
				want := r.entries[relays[i].Nickname]
				want[1], _, _ = strings.Cut(want[1], " Measured")
				if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w || !o.Listed {
					t.Errorf("%s:\ngot\n%s\nwant\n%s", relays[i].Nickname, g, w)
				}
			}
		})
	}
}
