package pathsel

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

func set(t testing.TB, s string) torrc.NodeSet {
	t.Helper()
	n, err := torrc.ParseNodeSet(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// draws is how often tests choose, so that they see each relay that can be chosen.
const draws = 400

// sample chooses many times and returns the numbers of those that were chosen, each once.
func sample(choose func(*rand.Rand) (*netdir.Relay, error)) (ns []int, err error) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range draws {
		r, err := choose(rng)
		if err != nil {
			return nil, err
		}
		if n := netdirtest.N(r); !slices.Contains(ns, n) {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns, nil
}

func relays(v *netdir.View, ns ...int) (list []*netdir.Relay) {
	for _, n := range ns {
		list = append(list, v.ByRSA(netdirtest.ID(n)))
	}
	return list
}

func country(a netip.Addr) string {
	if a.Is4() && a.As4()[1] == 1 {
		return "de"
	}
	return "??"
}

// https://spec.torproject.org/path-spec/path-selection-constraints.html
func TestExit(t *testing.T) {
	const exit = netdirtest.Exit
	n := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1, Flags: exit, Policy: "accept 80,443", Policy6: "accept 443"},
		{N: 2, Flags: exit, Policy: "accept 22,80"},
		{N: 3, Flags: exit &^ consensus.Stable, Policy: "accept 22,80,6667"},
		{N: 4, Flags: exit &^ consensus.Fast, Policy: "accept 80,81"},
		{N: 5, Flags: exit | consensus.BadExit, Policy: "accept 1-65535"},
		{N: 6, Flags: netdirtest.Plain, Policy: "accept 8333"}, // needs no flag
		{N: 7, Flags: netdirtest.Plain, Policy6: "accept 1000"},
		{N: 8, Flags: exit | consensus.MiddleOnly, Policy: "accept 1-65535"},
		{N: 9, Flags: exit &^ consensus.Running, Policy: "accept 1-65535"},
		{N: 10, Flags: exit, Policy: "accept 1-65535", NoMicrodesc: true},
		{N: 11, Flags: exit, Policy: "accept 1-65535", Protocols: "Link=3 Relay=2"},
		{N: 12},
	}}
	v := n.View()
	tests := []struct {
		name string
		cfg  Config
		need Need
		want []int
		err  Error
	}{
		{name: "web", need: Need{Port: 80}, want: []int{1, 2, 3}},
		{name: "to an address", need: Need{Port: 443, Addr: netip.MustParseAddr("192.0.2.1")}, want: []int{1}},
		{name: "to an IPv6 address", need: Need{Port: 1000, Addr: netip.MustParseAddr("2001:db8::1")}, want: []int{7}},
		{name: "to a mapped address", need: Need{Port: 8333, Addr: netip.MustParseAddr("::ffff:192.0.2.1")}, want: []int{6}},
		{name: "name over IPv6", need: Need{Port: 443, IPv6: true}, want: []int{1}},
		{name: "stable", need: Need{Port: 22, Stable: true}, want: []int{2}},
		{name: "none is stable", need: Need{Port: 6667, Stable: true}, want: []int{3}},
		{name: "none is fast", need: Need{Port: 81}, want: []int{4}},
		{name: "look-up", need: Need{Resolve: true}, want: []int{1, 2, 3, 6, 7}},
		{name: "anything", want: []int{1, 2, 3, 6, 7}},
		{name: "avoid", need: Need{Port: 80, Avoid: relays(v, 1, 3)}, want: []int{2}},
		{name: "ExitNodes", cfg: Config{Exit: set(t, "relay2,relay6,10.1.0.0/16")}, need: Need{Port: 80}, want: []int{1, 2}},
		{name: "ExitNodes by country", cfg: Config{Exit: set(t, "{de}"), Country: country}, need: Need{Port: 80}, want: []int{1}},
		{name: "of unknown country", cfg: Config{Exit: set(t, "{??}"), Country: country}, need: Need{Port: 80}, want: []int{2, 3}},
		{name: "ExcludeNodes", cfg: Config{Exclude: set(t, "$0001000000000000000000000000000000000001")}, need: Need{Port: 80}, want: []int{2, 3}},
		{name: "ExcludeExitNodes", cfg: Config{ExcludeExit: set(t, "relay1,relay3")}, need: Need{Port: 80}, want: []int{2}},
		{name: "exclusion wins", cfg: Config{Exit: set(t, "relay1,relay2"), Exclude: set(t, "Relay1")}, need: Need{Port: 80}, want: []int{2}},

		{name: "no such port", need: Need{Port: 25}, err: Error{netdir.Exit, Rejected, 6, 25}},
		{name: "no such port over IPv6", need: Need{Port: 80, IPv6: true}, err: Error{netdir.Exit, Rejected, 6, 80}},
		{name: "countries without a file", cfg: Config{Exit: set(t, "{de}")}, need: Need{Port: 80}, err: Error{netdir.Exit, NotChosen, 6, 80}},
		{name: "ExitNodes without a match", cfg: Config{Exit: set(t, "relay12")}, err: Error{netdir.Exit, NotChosen, 6, 0}},
		{name: "all excluded", cfg: Config{Exit: set(t, "relay1"), ExcludeExit: set(t, "relay1")}, err: Error{netdir.Exit, Excluded, 1, 0}},
		{name: "strictness changes nothing", cfg: Config{Exit: set(t, "relay1"), Exclude: set(t, "relay1"), Strict: true}, err: Error{netdir.Exit, Excluded, 1, 0}},
		{name: "all avoided", need: Need{Port: 443, Avoid: relays(v, 1)}, err: Error{netdir.Exit, Avoided, 1, 443}},
	}
	for _, tt := range tests {
		s := New(tt.cfg)
		got, err := sample(func(rng *rand.Rand) (*netdir.Relay, error) { return s.Exit(v, tt.need, rng) })
		checkError(t, tt.name, err, tt.err)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: chose among %v, want %v", tt.name, got, tt.want)
		}
		for r := range v.Relays() {
			preferable := r.Usable() && r.Flags.Has(tt.need.preferred())
			if s.Allows(r, tt.need) != slices.Contains(tt.want, netdirtest.N(r)) && preferable {
				t.Errorf("%s: whether %d may serve it: %v", tt.name, netdirtest.N(r), s.Allows(r, tt.need))
			}
		}
	}
}

func checkError(t *testing.T, name string, err error, want Error) {
	t.Helper()
	var e *Error
	if errors.As(err, &e) != (want != Error{}) || e != nil && *e != want {
		t.Errorf("%s: %#v, want %#v", name, e, want)
	}
}

// https://spec.torproject.org/path-spec/path-selection-constraints.html
func TestMiddle(t *testing.T) {
	n := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1, Flags: netdirtest.Guard, Family: "#1 #5", Addr6: "[2001:db8:1::1]:1"},
		{N: 2, Flags: netdirtest.Exit, FamilyIDs: "ed25519:x"},
		{N: 3},
		{N: 4, FamilyIDs: "ed25519:x ed25519:y"},
		{N: 5, Family: "#1 #5"},
		{N: 6, Family: "#1 #2"},
		{N: 7, Addr: "10.1.200.1:443"},
		{N: 8, Addr6: "[2001:db8:2::1]:1"},
		{N: 9, Flags: netdirtest.Plain &^ consensus.Fast},
		{N: 10, Flags: netdirtest.Plain &^ consensus.Stable},
		{N: 11, Flags: netdirtest.Plain | consensus.MiddleOnly | consensus.BadExit},
		{N: 12, Flags: netdirtest.Plain &^ consensus.Valid},
		{N: 13, NoMicrodesc: true},
	}}
	v := n.View()
	none := netdirtest.Network{Relays: n.Relays[:2]}
	tests := []struct {
		name string
		view *netdir.View
		cfg  Config
		need Need
		used []int
		want []int
		err  Error
	}{
		{name: "plain", used: []int{1, 2}, want: []int{3, 6, 10, 11}},
		{name: "stable", need: Need{Stable: true}, used: []int{1, 2}, want: []int{3, 6, 11}},
		{name: "with one other", used: []int{2}, want: []int{1, 3, 5, 6, 7, 8, 10, 11}},
		{name: "shared subnets", cfg: Config{SharedSubnets: true}, used: []int{1, 2}, want: []int{3, 6, 7, 8, 10, 11}},
		{name: "NodeFamily", cfg: Config{NodeFamilies: []torrc.NodeSet{set(t, "relay3,relay11"), set(t, "relay1,relay6"), set(t, "relay10,10.2.0.0/16")}},
			used: []int{1, 2}, want: []int{3, 11}},
		{name: "MiddleNodes", cfg: Config{Middle: set(t, "relay3,relay4,relay13")}, used: []int{1, 2}, want: []int{3}},
		{name: "ExcludeNodes", cfg: Config{Exclude: set(t, "relay6,relay10")}, used: []int{1, 2}, want: []int{3, 11}},
		{name: "ExcludeExitNodes", cfg: Config{ExcludeExit: set(t, "relay6")}, used: []int{1, 2}, want: []int{3, 6, 10, 11}},
		{name: "none is fast", cfg: Config{Middle: set(t, "relay9")}, used: []int{1, 2}, want: []int{9}},

		{name: "no others", view: none.View(), used: []int{1, 2}, err: Error{netdir.Middle, Related, 2, 0}},
		{name: "none chosen", cfg: Config{Middle: set(t, "nobody")}, err: Error{netdir.Middle, NotChosen, 11, 0}},
		{name: "empty", view: new(netdirtest.Network).View(), err: Error{netdir.Middle, NoneUsable, 0, 0}},
	}
	for _, tt := range tests {
		view := tt.view
		if view == nil {
			view = v
		}
		if tt.err != (Error{}) {
			tt.need.Port, tt.err.Port = 80, 80
		}
		used := relays(v, tt.used...) // of another view, as circuits have them
		got, err := sample(func(rng *rand.Rand) (*netdir.Relay, error) { return New(tt.cfg).Middle(view, used, tt.need, rng) })
		checkError(t, tt.name, err, tt.err)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: chose among %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestGuardOK(t *testing.T) {
	n := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1, Flags: netdirtest.Exit, Family: "#2"}, {N: 2, Family: "#1"}, {N: 3, Addr: "10.1.9.9:1"}, {N: 4}, {N: 5},
	}}
	v := n.View()
	tests := []struct {
		name string
		cfg  Config
		exit int
		want []int
	}{
		{"no exit", Config{}, 0, []int{1, 2, 3, 4, 5}},
		{"exit", Config{}, 1, []int{4, 5}},
		{"shared subnets", Config{SharedSubnets: true}, 1, []int{3, 4, 5}},
		{"EntryNodes", Config{Entry: set(t, "relay2,relay4")}, 1, []int{4}},
		{"ExcludeNodes", Config{Exclude: set(t, "relay4")}, 1, []int{5}},
		{"NodeFamily", Config{NodeFamilies: []torrc.NodeSet{set(t, "10.0.0.0/8")}}, 1, nil},
	}
	for _, tt := range tests {
		var got []int
		for r := range v.Relays() {
			if New(tt.cfg).GuardOK(v, r, v.ByRSA(netdirtest.ID(tt.exit))) {
				got = append(got, netdirtest.N(r))
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A user who excludes a relay may have to put up with it, for what cannot be done without it.
func TestPermits(t *testing.T) {
	v := (&netdirtest.Network{Relays: []netdirtest.Relay{{N: 1}, {N: 2}}}).View()
	r := v.ByRSA(netdirtest.ID(1))
	lax, strict := New(Config{Exclude: set(t, "relay1")}), New(Config{Exclude: set(t, "relay1"), Strict: true})
	if lax.Permits(r, false) || !lax.Permits(r, true) || strict.Permits(r, true) || !strict.Permits(v.ByRSA(netdirtest.ID(2)), false) {
		t.Error("wrong")
	}
}

func TestUsesCountries(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want bool
	}{
		{Config{}, false},
		{Config{Exit: set(t, "a,1.2.3.4")}, false},
		{Config{Exit: set(t, "a,{us}")}, true},
		{Config{NodeFamilies: []torrc.NodeSet{set(t, "a"), set(t, "{us}")}}, true},
	} {
		if got := tt.cfg.UsesCountries(); got != tt.want {
			t.Errorf("%+v: %v", tt.cfg, got)
		}
	}
}

func TestPathFraction(t *testing.T) {
	n := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1, Flags: netdirtest.Guard}, {N: 2}, {N: 3, Flags: netdirtest.Exit}, {N: 4, Flags: netdirtest.Exit, NoMicrodesc: true},
	}}
	for _, tt := range []struct {
		name string
		cfg  Config
		want float64
	}{
		{"all", Config{}, .75 * .5},
		{"ExitNodes", Config{Exit: set(t, "relay4")}, 0},
		{"MiddleNodes", Config{Middle: set(t, "relay1,relay2")}, .5},
		{"EntryNodes", Config{Entry: set(t, "relay1")}, .75 * .5},
	} {
		if got := New(tt.cfg).PathFraction(n.View()); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]Error{
		"no exit allows port 25: 0 of 312 exits":                                          {netdir.Exit, Rejected, 312, 25},
		"ExitNodes matches none of 312 usable exits":                                      {netdir.Exit, NotChosen, 312, 0},
		"MiddleNodes matches none of 9 usable middles":                                    {netdir.Middle, NotChosen, 9, 0},
		"the configuration excludes all of 2 exits":                                       {netdir.Exit, Excluded, 2, 0},
		"all of 3 exits that would do have been tried":                                    {netdir.Exit, Avoided, 3, 80},
		"all of 3 middles are of one family or subnet with other hops, or are this relay": {netdir.Middle, Related, 3, 0},
		"the directory has no usable exit":                                                {netdir.Exit, NoneUsable, 5, 0},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The relays of a network like the public one are chosen as often as its weights say.
func TestDistribution(t *testing.T) {
	v := netdir.New(netdirtest.Large(300))
	s := New(Config{SharedSubnets: true})
	rng := rand.New(rand.NewPCG(3, 4))
	const draws = 40000
	counts := map[*netdir.Relay]float64{}
	for range draws {
		r, err := s.Middle(v, nil, Need{}, rng)
		if err != nil {
			t.Fatal(err)
		}
		counts[r]++
	}
	total, chi, degrees := 0.0, 0.0, -1.0
	for r := range v.Relays() {
		if r.Flags.Has(consensus.Fast) {
			total += float64(v.Weight(r, netdir.Middle))
		}
	}
	for r := range v.Relays() {
		if !r.Flags.Has(consensus.Fast) {
			if counts[r] > 0 {
				t.Errorf("%s is not Fast and was chosen", r.Nickname)
			}
			continue
		}
		if want := float64(v.Weight(r, netdir.Middle)) / total * draws; want > 5 {
			chi += (counts[r] - want) * (counts[r] - want) / want
			degrees++
		}
	}
	if degrees < 50 || chi > degrees+4*math.Sqrt(2*degrees) {
		t.Errorf("chi-square %.1f with %.0f degrees of freedom", chi, degrees)
	}
}

func BenchmarkExit(b *testing.B) {
	v := netdir.New(netdirtest.Large(9000))
	s, rng := New(Config{}), rand.New(rand.NewChaCha8([32]byte{}))
	b.ReportAllocs()
	for b.Loop() {
		s.Exit(v, Need{Port: 443}, rng)
	}
}

func BenchmarkMiddle(b *testing.B) {
	v := netdir.New(netdirtest.Large(9000))
	s, rng := New(Config{}), rand.New(rand.NewChaCha8([32]byte{}))
	exit, _ := s.Exit(v, Need{Port: 443}, rng)
	guard, _ := s.Middle(v, nil, Need{}, rng)
	used := []*netdir.Relay{guard, exit}
	b.ReportAllocs()
	for b.Loop() {
		s.Middle(v, used, Need{}, rng)
	}
}

// BenchmarkMiddleWithSets has the options that cost the most.
func BenchmarkMiddleWithSets(b *testing.B) {
	v := netdir.New(netdirtest.Large(9000))
	s := New(Config{Exclude: set(b, "nobody,1.2.0.0/16,{xx}"), Country: country, NodeFamilies: []torrc.NodeSet{set(b, "{yy},nobody")}})
	rng := rand.New(rand.NewChaCha8([32]byte{}))
	exit, _ := s.Exit(v, Need{Port: 443}, rng)
	b.ReportAllocs()
	for b.Loop() {
		s.Middle(v, []*netdir.Relay{exit}, Need{}, rng)
	}
}

// A relay's own circuits go through neither itself nor its kin.
func TestSelf(t *testing.T) {
	n := netdirtest.Network{Relays: []netdirtest.Relay{
		{N: 1, Flags: netdirtest.Exit, Policy: "accept 80"}, {N: 2, Flags: netdirtest.Exit, Policy: "accept 80"},
		{N: 3, Flags: netdirtest.Exit, Policy: "accept 80"},
	}}
	v := n.View()
	s := New(Config{Self: netdirtest.ID(1), NodeFamilies: []torrc.NodeSet{set(t, fmt.Sprintf("$%X,$%X", netdirtest.ID(1), netdirtest.ID(2)))}})
	exits, err := sample(func(rng *rand.Rand) (*netdir.Relay, error) { return s.Exit(v, Need{}, rng) })
	if err != nil || !slices.Equal(exits, []int{3}) {
		t.Errorf("exits %v, %v", exits, err)
	}
	middles, err := sample(func(rng *rand.Rand) (*netdir.Relay, error) { return s.Middle(v, nil, Need{}, rng) })
	if err != nil || !slices.Equal(middles, []int{3}) {
		t.Errorf("middles %v, %v", middles, err)
	}
	for i, want := range []bool{false, false, true} {
		r := relays(v, i+1)[0]
		if got := s.GuardOK(v, r, nil); got != want {
			t.Errorf("relay %d as a guard: %v", i+1, got)
		}
	}
	if s.EntryOK(relays(v, 1)[0]) {
		t.Error("own relay may be a guard")
	}
}
