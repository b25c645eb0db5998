package guard

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

var start = time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)

func anyRelay(*netdir.Relay) bool { return true }

// https://spec.torproject.org/guard-spec/algorithm.html
func TestPossible(t *testing.T) {
	for _, tt := range []struct {
		name  string
		relay netdirtest.Relay
		want  bool
	}{
		{"guard", netdirtest.Relay{Flags: netdirtest.Guard}, true},
		{"guard and exit", netdirtest.Relay{Flags: netdirtest.Guard | consensus.Exit}, true},
		{"without a microdescriptor", netdirtest.Relay{Flags: netdirtest.Guard, NoMicrodesc: true}, true},
		{"IPv6 only", netdirtest.Relay{Flags: netdirtest.Guard, Addr: "none", Addr6: "[2001:db8::1]:443"}, true},
		{"no flag", netdirtest.Relay{Flags: netdirtest.Plain}, false},
		{"not stable", netdirtest.Relay{Flags: netdirtest.Guard &^ consensus.Stable}, false},
		{"not fast", netdirtest.Relay{Flags: netdirtest.Guard &^ consensus.Fast}, false},
		{"no directory", netdirtest.Relay{Flags: netdirtest.Guard &^ consensus.V2Dir}, false},
		{"not valid", netdirtest.Relay{Flags: netdirtest.Guard &^ consensus.Valid}, false},
		{"not running", netdirtest.Relay{Flags: netdirtest.Guard &^ consensus.Running}, false},
		{"middle only", netdirtest.Relay{Flags: netdirtest.Guard | consensus.MiddleOnly}, false},
		{"no address", netdirtest.Relay{Flags: netdirtest.Guard, Addr: "none"}, false},
	} {
		v := (&netdirtest.Network{Relays: []netdirtest.Relay{tt.relay}}).View()
		for r := range v.Relays() {
			if got := possible(r); got != tt.want {
				t.Errorf("%s: %v", tt.name, got)
			}
		}
	}
}

// https://spec.torproject.org/guard-spec/algorithm.html
func TestRetryDelay(t *testing.T) {
	for _, tt := range []struct{ failing, primary, other time.Duration }{
		{-time.Hour, 10 * time.Minute, time.Hour},
		{0, 10 * time.Minute, time.Hour},
		{6 * time.Hour, 10 * time.Minute, time.Hour},
		{6*time.Hour + 1, 90 * time.Minute, 4 * time.Hour},
		{4 * day, 90 * time.Minute, 4 * time.Hour},
		{4*day + 1, 4 * time.Hour, 18 * time.Hour},
		{7 * day, 4 * time.Hour, 18 * time.Hour},
		{7*day + 1, 9 * time.Hour, 36 * time.Hour},
		{365 * day, 9 * time.Hour, 36 * time.Hour},
	} {
		if p, o := retryDelay(tt.failing, true), retryDelay(tt.failing, false); p != tt.primary || o != tt.other {
			t.Errorf("failing for %v: %v and %v, want %v and %v", tt.failing, p, o, tt.primary, tt.other)
		}
	}
}

// What the user sets goes before the consensus.
func TestConfig(t *testing.T) {
	n := netdirtest.Network{Params: "guard-n-primary-guards=4 guard-n-primary-dir-guards-to-use=2 guard-lifetime-days=7 guard-confirmed-min-lifetime-days=8"}
	for i := range 30 {
		n.Relays = append(n.Relays, netdirtest.Relay{N: i, Flags: netdirtest.Guard})
	}
	v := n.View()
	for _, tt := range []struct {
		name                string
		cfg                 Config
		primary, dirs       int
		lifetime, confirmed time.Duration
	}{
		{"consensus", Config{}, 4, 2, 7 * day, 8 * day},
		{"user", Config{Primary: 5, DirInUse: 3, Lifetime: 2 * day}, 5, 3, 2 * day, 2 * day},
		{"too short", Config{Lifetime: time.Hour}, 4, 2, 7 * day, 8 * day},
	} {
		tt.cfg.Rand = rand.New(rand.NewPCG(1, 2))
		s := New(tt.cfg)
		s.Update(v, start)
		if got := s.Dirs(v, 9, start, nil); len(s.main.primary) != tt.primary || len(got) != tt.dirs {
			t.Errorf("%s: %d primary guards, %d for directories", tt.name, len(s.main.primary), len(got))
		}
		if got := s.Dirs(v, 1, start, nil); len(got) != 1 {
			t.Errorf("%s: %d directory guards, want 1", tt.name, len(got))
		}
		if s.lifetime() != tt.lifetime || s.confirmedLifetime() != tt.confirmed {
			t.Errorf("%s: lifetimes %v, %v", tt.name, s.lifetime(), s.confirmedLifetime())
		}
	}
}

// A network without relays has no guards.
func TestErrors(t *testing.T) {
	empty := (&netdirtest.Network{}).View()
	for _, noGuards := range []bool{false, true} {
		_, err := New(Config{NoGuards: noGuards, Rand: rand.New(rand.NewPCG(1, 2))}).Pick(empty, anyRelay, start)
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != None {
			t.Errorf("%v", err)
		}
	}
}

// Guards are drawn by bandwidth, without putting them back.
func TestDistribution(t *testing.T) {
	const relays, draws = 8, 4000
	var n netdirtest.Network
	total := 0.0
	for i := 1; i <= relays; i++ {
		n.Relays = append(n.Relays, netdirtest.Relay{N: i, Flags: netdirtest.Guard, Bandwidth: uint32(1000 * i)})
		total += float64(i)
	}
	v := n.View()
	var first [relays + 1]float64
	for seed := range uint64(draws) {
		s := New(Config{Rand: rand.New(rand.NewPCG(seed, 1))})
		r, err := s.Pick(v, anyRelay, start)
		if err != nil {
			t.Fatal(err)
		}
		first[netdirtest.N(r)]++
		if len(s.main.guards) != relays {
			t.Fatalf("%d guards of %d", len(s.main.guards), relays)
		}
	}
	chi := 0.0
	for i := 1; i <= relays; i++ {
		want := float64(i) / total * draws
		chi += (first[i] - want) * (first[i] - want) / want
	}
	if degrees := float64(relays - 1); chi > degrees+4*math.Sqrt(2*degrees) {
		t.Errorf("chi-square %.1f with %.0f degrees of freedom: %v", chi, degrees, first)
	}
}

// Dates are set back by up to a tenth of the lifetime, evenly.
func TestBlur(t *testing.T) {
	s := New(Config{Rand: rand.New(rand.NewPCG(1, 2))})
	back := s.lifetime() / blurLifetime
	var sum time.Duration
	const draws = 1000
	for range draws {
		d := start.Sub(s.blur(start, back))
		if d < 0 || d >= back {
			t.Fatalf("%v, want less than %v", d, back)
		}
		sum += d
	}
	if mean := sum / draws; mean < back*45/100 || mean > back*55/100 {
		t.Errorf("mean %v of %v", mean, back)
	}
	if at := s.blur(time.Unix(5, 0), back); at.Unix() < 1 {
		t.Errorf("%v is no time since 1970", at)
	}
}

// FuzzSet loads any state file and plays any sequence of events.
func FuzzSet(f *testing.F) {
	f.Add([]byte("Guard in=default rsa_id=0003000000000000000000000000000000000003 sampled_idx=1 listed=1 confirmed_on=2025-12-25T01:02:03 confirmed_idx=1\n"), []byte("pspfpfpfw\x10pfddu"))
	f.Add([]byte("Guard in=restricted rsa_id=0001000000000000000000000000000000000001 sampled_on=2025-12-25T01:02:03 confirmed_idx=7\nGuard in=x rsa_id=0001000000000000000000000000000000000001\n"), []byte("pfpfpfpfpfpfw\xffu"))
	var views []*netdir.View
	for i := range 3 {
		n := netdirtest.Network{Params: "guard-min-filtered-sample-size=3 guard-max-sample-size=6", ValidAfter: start.Add(time.Duration(i) * 20 * day)}
		for k := i * 3; k < i*3+12; k++ {
			n.Relays = append(n.Relays, netdirtest.Relay{N: k, Flags: netdirtest.Guard})
		}
		views = append(views, n.View())
	}
	f.Fuzz(func(t *testing.T, file, events []byte) {
		doc, err := statedoc.Parse(file)
		if err != nil {
			return
		}
		lines, _ := doc.Guards()
		s := New(Config{Rand: rand.New(rand.NewPCG(1, 2)), Filter: func(r *netdir.Relay) bool { return netdirtest.N(r) != 4 }})
		s.Load(lines)
		now, view := start, views[0]
		var last *netdir.Relay
		for i, e := range events {
			switch e {
			case 'p':
				if r, err := s.Pick(view, anyRelay, now); err == nil {
					last = r
				}
			case 's':
				if last != nil {
					s.Succeeded(last.RSA, now)
				}
			case 'f':
				if last != nil {
					s.Failed(last.RSA, now)
				}
			case 'd':
				s.Dirs(view, 3, now, nil)
			case 'u':
				view = views[i%len(views)]
				now = view.Consensus().ValidAfter
			case 'l':
				s.Load(s.Save())
			default:
				now = now.Add(time.Duration(e) * time.Minute)
			}
			check(t, s, now)
		}
		if err := doc.SetGuards(s.Save()); err != nil {
			t.Fatal(err)
		}
	})
}

// check checks what must always hold.
func check(t *testing.T, s *Set, now time.Time) {
	for _, p := range []*sample{&s.main, &s.restricted} {
		var confirmed []int
		for i, g := range p.guards {
			if i > 0 && g.SampledIdx <= p.guards[i-1].SampledIdx {
				t.Fatalf("places of %v and %v", p.guards[i-1], g)
			}
			if g.confirmed() {
				confirmed = append(confirmed, g.ConfirmedIdx)
			}
			if g.primary != slices.Contains(p.primary, g) {
				t.Fatalf("%v says whether it is primary: %v", g, g.primary)
			}
		}
		slices.Sort(confirmed)
		for i, idx := range confirmed {
			if i != idx {
				t.Fatalf("places of confirmed guards: %v", confirmed)
			}
		}
		for _, g := range p.primary {
			if !slices.Contains(p.guards, g) || !g.passes {
				t.Fatalf("primary guard %v is none", g)
			}
		}
	}
	if at := s.NextRetry(now); !at.IsZero() && !at.After(now) {
		t.Fatalf("next retry at %v, and it is %v", at, now)
	}
}

// BenchmarkFirst draws a whole sample.
func BenchmarkFirst(b *testing.B) {
	v := netdir.New(netdirtest.Large(9000))
	rng := rand.New(rand.NewChaCha8([32]byte{}))
	b.ReportAllocs()
	for b.Loop() {
		New(Config{Rand: rng}).Update(v, start)
	}
}

func BenchmarkPick(b *testing.B) {
	v := netdir.New(netdirtest.Large(9000))
	s := New(Config{Rand: rand.New(rand.NewChaCha8([32]byte{}))})
	b.ReportAllocs()
	for b.Loop() {
		s.Pick(v, anyRelay, start)
	}
}

// Directory guards that do not have what is asked for are left out, unless there are few guards.
func TestOutdatedDirs(t *testing.T) {
	for relays, leftOut := range map[int]bool{30: true, 8: false} {
		var n netdirtest.Network
		for i := range relays {
			n.Relays = append(n.Relays, netdirtest.Relay{N: i, Flags: netdirtest.Guard})
		}
		v := n.View()
		s := New(Config{Rand: rand.New(rand.NewPCG(1, 2))})
		outdated := map[[20]byte]bool{}
		for range 6 {
			list := s.Dirs(v, 3, start, outdated)
			if len(list) == 0 {
				t.Fatalf("%d relays: no directory guard", relays)
			}
			for _, r := range list {
				if outdated[r.RSA] && leftOut {
					t.Errorf("%d relays: one that is outdated", relays)
				}
				outdated[r.RSA] = true
			}
		}
		if got := len(outdated) > 3; got != leftOut {
			t.Errorf("%d relays: %d of them were directory guards", relays, len(outdated))
		}
	}
}
