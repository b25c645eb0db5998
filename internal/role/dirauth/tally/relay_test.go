package tally_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// https://spec.torproject.org/dir-spec/computing-consensus.html
func TestFlags(t *testing.T) {
	const known = "BadExit Exit Guard HSDir MiddleOnly Running V2Dir Valid"
	for _, tt := range []struct {
		name  string
		known []string // of each vote
		flags []string // of the relay in each vote
		want  []string // none if the relay is not listed
	}{
		{"majority", []string{known, known, known}, []string{"Guard Exit", "Guard", ""}, []string{"Guard Running Valid"}},
		{"half", []string{known, known}, []string{"Guard", ""}, []string{"Running Valid"}},
		{"of those who know the flag", []string{known + " Zap", known, known}, []string{"Zap", "", ""}, []string{"Running Valid Zap"}},
		{"half of those", []string{known + " Zap", known + " Zap", known}, []string{"Zap", "", ""}, []string{"Running Valid"}},
		{"not running", []string{known, known, known}, []string{"-Running", "-Running", ""}, nil},
		{"not valid", []string{known, known, known}, []string{"-Valid", "-Valid", ""}, nil},
		{"MiddleOnly", []string{known, known, known}, []string{"MiddleOnly Exit Guard HSDir V2Dir", "MiddleOnly Exit Guard HSDir V2Dir", ""},
			[]string{"BadExit MiddleOnly Running Valid"}},
		{"MiddleOnly without BadExit", []string{"Exit MiddleOnly Running Valid"}, []string{"MiddleOnly Exit"}, []string{"MiddleOnly Running Valid"}},
		{"NoEdConsensus of a vote does not count", []string{"NoEdConsensus Running Valid"}, []string{"NoEdConsensus"}, []string{"Running Valid"}},
	} {
		votes := aboutRelay(len(tt.known), func(i int, v *vote.Vote, r *vote.Relay) {
			v.KnownFlags = strings.Fields(tt.known[i])
			flags := []string{"Running", "Valid"}
			for f := range strings.FieldsSeq(tt.flags[i]) {
				if off, ok := strings.CutPrefix(f, "-"); ok {
					flags = slices.DeleteFunc(flags, func(s string) bool { return s == off })
				} else {
					flags = append(flags, f)
				}
			}
			r.Flags = v.FlagsOf(flags...)
		})
		r := compute(t, votes)
		wantLines(t, tt.name, r.NSBody, "s", tt.want...)
		wantLines(t, tt.name, r.MicrodescBody, "s", tt.want...)
	}
}

func TestKnownFlags(t *testing.T) {
	known := []string{"Running Valid", "Exit Running", "Abc Running"}
	r := compute(t, votesOf(3, func(i int, v *vote.Vote) { v.KnownFlags = strings.Fields(known[i]) }))
	wantLines(t, "known", r.NSBody, "known-flags", "Abc Exit NoEdConsensus Running Valid")
}

// More flags than consensus.Flags can hold.
func TestManyFlags(t *testing.T) {
	var flags []string
	for i := range 62 {
		flags = append(flags, "A"+string(rune('0'+i/10))+string(rune('0'+i%10)))
	}
	r := compute(t, aboutRelay(2, func(i int, v *vote.Vote, r *vote.Relay) {
		own := slices.Clone(flags)
		if i == 1 {
			for j := range own {
				own[j] = "B" + own[j]
			}
		}
		v.KnownFlags = append(own, "Running", "Valid")
		r.Flags = v.FlagsOf(v.KnownFlags...)
	}))
	want := strings.Join(flags, " ") + " B" + strings.Join(flags, " B") + " Running Valid"
	wantLines(t, "many", r.NSBody, "s", want)
}

func TestNames(t *testing.T) {
	const known = "Named Running Unnamed Valid"
	for _, tt := range []struct {
		name  string
		votes []string // nickname and flag of the relay in each vote
		want  []string // flags
		nick  string
	}{
		{"named", []string{"mine Named", "mine -", "mine -"}, []string{"Named Running Valid"}, "mine"},
		{"the name that is given", []string{"mine Named", "other -", "other -"}, []string{"Named Running Valid"}, "mine"},
		{"two names", []string{"mine Named", "yours Named", "yours -"}, []string{"Named Running Valid"}, "yours"},
		{"nobody cares", []string{"mine -", "mine -", "mine -"}, []string{"Running Valid"}, "mine"},
		{"unnamed", []string{"mine Unnamed", "mine -", "mine -"}, []string{"Running Unnamed Valid"}, "mine"},
		{"named and unnamed", []string{"mine Named", "MINE Unnamed", "mine -"}, []string{"Running Unnamed Valid"}, "mine"},
	} {
		r := compute(t, aboutRelay(3, func(i int, v *vote.Vote, r *vote.Relay) {
			v.KnownFlags = strings.Fields(known)
			nick, flag, _ := strings.Cut(tt.votes[i], " ")
			r.Status.SetNickname(nick)
			r.Flags = v.FlagsOf("Running", "Valid", flag)
		}))
		wantLines(t, tt.name, r.NSBody, "s", tt.want...)
		if got := r.NS.Relays[0].Nickname(); got != tt.nick {
			t.Errorf("%s: nickname %s, want %s", tt.name, got, tt.nick)
		}
	}
	// Two relays that are given one name.
	r := compute(t, votesOf(1, func(_ int, v *vote.Vote) {
		v.KnownFlags = strings.Fields(known)
		v.Relays = []vote.Relay{relay(v, 1, "Named"), relay(v, 2, "Named"), relay(v, 3)}
	}))
	wantLines(t, "conflict", r.NSBody, "s", "Running Unnamed Valid", "Running Unnamed Valid", "Running Unnamed Valid")
}

// https://spec.torproject.org/dir-spec/computing-consensus.html
func TestCollate(t *testing.T) {
	const none, silent = -1, -2 // says that there is no Ed25519 identity; says nothing of it
	for _, tt := range []struct {
		name        string
		authorities int
		ed          []int // Ed25519 identity in each vote; 0: the relay is not listed
		want        []string
	}{
		{"all agree", 3, []int{1, 1, 1}, []string{"Running Valid"}},
		{"majority", 3, []int{1, 1, 2}, []string{"Running Valid"}},
		{"listed by half", 4, []int{1, 1, 0}, nil},
		{"listed by more than half", 5, []int{1, 1, 1, 0}, []string{"Running Valid"}},
		{"no agreement", 3, []int{1, 2, 3}, []string{"NoEdConsensus Running Valid"}},
		{"agreement that there is none", 3, []int{none, none, 1}, []string{"Running Valid"}},
		{"silence is no agreement", 3, []int{silent, silent, 1}, []string{"NoEdConsensus Running Valid"}},
		{"half agree", 4, []int{1, 1, 2, 2}, []string{"NoEdConsensus Running Valid"}},
		{"some agree and some are silent", 5, []int{1, 1, silent, silent}, []string{"NoEdConsensus Running Valid"}},
	} {
		r := computeOf(t, tt.authorities, votesOf(len(tt.ed), func(i int, v *vote.Vote) {
			if tt.ed[i] == 0 {
				return
			}
			e := relay(v, 1)
			e.HasEd25519 = tt.ed[i] != silent
			e.Ed25519 = [32]byte{byte(max(0, tt.ed[i]))}
			v.Relays = append(v.Relays, e)
		}))
		wantLines(t, tt.name, r.NSBody, "s", tt.want...)
	}
}

// Entries that disagree with the majority on the Ed25519 identity do not count for anything; silent ones do.
func TestCollateLeavesOut(t *testing.T) {
	r := compute(t, aboutRelay(5, func(i int, v *vote.Vote, r *vote.Relay) {
		r.Measured, r.HasMeasured = uint32(100*i), true
		switch i {
		case 0:
			r.HasEd25519, r.Ed25519 = false, [32]byte{}
		case 4:
			r.Ed25519 = [32]byte{9}
		}
	}))
	wantLines(t, "medians", r.NSBody, "w", "Bandwidth=100")
}

func TestOrderOfRelays(t *testing.T) {
	numbers := [][]byte{{1, 3, 4, 9}, {1, 2, 9}, {2, 4, 9}}
	r := compute(t, votesOf(3, func(i int, v *vote.Vote) {
		for _, n := range numbers[i] {
			v.Relays = append(v.Relays, relay(v, n))
		}
	}))
	var got []byte
	for i := range r.NS.Relays {
		got = append(got, r.NS.Relays[i].ID[0])
	}
	if !slices.Equal(got, []byte{1, 2, 4, 9}) {
		t.Errorf("relays %v", got)
	}
}

// An entry that most votes have wins; of several the latest; of those the one with the lowest digest.
func TestWinner(t *testing.T) {
	type entry struct {
		digest    byte
		published int64
		nick      string
		addr      byte
		or, dir   uint16
	}
	for _, tt := range []struct {
		name  string
		votes []entry
		want  int // vote that wins
	}{
		{"most votes", []entry{{1, 9, "a", 1, 1, 1}, {2, 1, "b", 2, 2, 2}, {2, 1, "b", 2, 2, 2}}, 1},
		{"latest", []entry{{1, 1, "a", 1, 1, 1}, {2, 3, "b", 2, 2, 2}, {3, 2, "c", 3, 3, 3}}, 1},
		{"lowest digest", []entry{{3, 1, "a", 1, 1, 1}, {2, 1, "b", 2, 2, 2}}, 1},
		{"same digest, latest", []entry{{1, 1, "a", 1, 1, 1}, {1, 2, "a", 1, 1, 1}}, 1},
		{"highest name", []entry{{1, 1, "a", 1, 1, 1}, {1, 1, "b", 1, 1, 1}}, 1},
		{"lowest address", []entry{{1, 1, "a", 2, 1, 1}, {1, 1, "a", 1, 1, 1}}, 1},
		{"highest ORPort", []entry{{1, 1, "a", 1, 1, 1}, {1, 1, "a", 1, 2, 1}}, 1},
		{"highest DirPort", []entry{{1, 1, "a", 1, 1, 1}, {1, 1, "a", 1, 1, 2}}, 1},
	} {
		r := compute(t, aboutRelay(len(tt.votes), func(i int, _ *vote.Vote, r *vote.Relay) {
			e := tt.votes[i]
			r.Status.Digest[0], r.Status.Published, r.Status.Addr4[3], r.Status.ORPort, r.Status.DirPort = e.digest, e.published, e.addr, e.or, e.dir
			r.Status.SetNickname(e.nick)
		}))
		s, e := &r.NS.Relays[0], tt.votes[tt.want]
		if got := (entry{s.Digest[0], s.Published, s.Nickname(), s.Addr4[3], s.ORPort, s.DirPort}); got != e {
			t.Errorf("%s: got %v, want %v", tt.name, got, e)
		}
	}
}

func TestPublished(t *testing.T) {
	for method, want := range map[int]string{32: "1970-01-01 00:01:00", 33: "2038-01-01 00:00:00", 35: "2038-01-01 00:00:00"} {
		r := compute(t, aboutRelay(1, func(_ int, v *vote.Vote, r *vote.Relay) {
			v.Methods, r.Status.Published = []int{method}, 60
		}))
		if ns, md := lines(r.NSBody, "r")[0], lines(r.MicrodescBody, "r")[0]; !strings.Contains(ns, " 1970-01-01 00:01:00 ") ||
			!strings.Contains(md, " "+want+" ") {
			t.Errorf("method %d: %q, %q", method, ns, md)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, tt := range []struct {
		name, keyword string
		votes, want   []string
	}{
		{"most votes", "v", []string{"Tor 0.4.9.10", "Tor 0.4.9.9", "Tor 0.4.9.9"}, []string{"Tor 0.4.9.9"}},
		{"the latest", "v", []string{"Tor 0.4.9.10", "Tor 0.4.9.9", ""}, []string{"Tor 0.4.9.10"}},
		{"what is no version comes last", "v", []string{"Tor 0.4.9.10", "Zor", ""}, []string{"Zor"}},
		{"no version", "v", []string{"", "", ""}, nil},
		{"most votes", "pr", []string{"Relay=1", "Relay=1", "Relay=2"}, []string{"Relay=1"}},
		{"the last", "pr", []string{"Relay=1", "Relay=2", "Link=1"}, []string{"Relay=2"}},
		{"empty counts", "pr", []string{"", "", "Link=1"}, []string{""}},
		{"most votes", "p", []string{"accept 1", "accept 1", "reject 2"}, []string{"accept 1"}},
		{"the last", "p", []string{"accept 1", "reject 2", ""}, []string{"reject 2"}},
		{"none", "p", []string{"", "", ""}, nil},
	} {
		r := compute(t, aboutRelay(len(tt.votes), func(i int, _ *vote.Vote, r *vote.Relay) {
			switch tt.keyword {
			case "v":
				r.Status.Version = tt.votes[i]
			case "pr":
				r.Status.Protos = &consensus.Protos{Text: tt.votes[i]}
			case "p":
				r.Status.Policy = tt.votes[i]
			}
		}))
		wantLines(t, tt.name, r.NSBody, tt.keyword, tt.want...)
	}
}

// The policy is that of the descriptor that wins, unless none of its votes has one.
func TestPolicyOfWinner(t *testing.T) {
	for _, tt := range []struct {
		votes []string // policies; the first two votes are for the descriptor that wins
		want  string
		warns bool
	}{
		{[]string{"accept 1", "", "accept 2", "accept 2", "accept 2"}, "accept 1", false},
		{[]string{"accept 1", "accept 3", "accept 2", "accept 2", "accept 2"}, "accept 3", true},
		{[]string{"", "", "accept 2", "accept 3", "accept 2"}, "accept 2", false},
	} {
		r := compute(t, aboutRelay(len(tt.votes), func(i int, _ *vote.Vote, r *vote.Relay) {
			r.Status.Policy = tt.votes[i]
			if i > 1 {
				r.Status.Digest[1] = byte(i)
			}
		}))
		wantLines(t, strings.Join(tt.votes, "|"), r.NSBody, "p", tt.want)
		wantLines(t, "microdesc flavor", r.MicrodescBody, "p")
		if (len(r.Warnings) > 0) != tt.warns {
			t.Errorf("warnings %q", r.Warnings)
		}
	}
}

func TestAddress6(t *testing.T) {
	for _, tt := range []struct {
		name  string
		votes []byte // last byte of the address, 0 for none; the port is the same
		other []bool // this vote is for another descriptor
		want  []string
	}{
		{"most votes", []byte{1, 1, 2}, []bool{false, false, false}, []string{"[2001::1]:1"}},
		{"the last", []byte{2, 1, 0}, []bool{false, false, false}, []string{"[2001::2]:2"}},
		{"none", []byte{0, 0, 0}, []bool{false, false, false}, nil},
		{"of the winner alone", []byte{1, 0, 2, 2}, []bool{false, false, true, true}, []string{"[2001::2]:2"}},
		{"of the winner alone, none", []byte{0, 0, 2}, []bool{false, false, true}, nil},
	} {
		r := compute(t, aboutRelay(len(tt.votes), func(i int, _ *vote.Vote, r *vote.Relay) {
			if n := tt.votes[i]; n > 0 {
				r.Status.Addr6, r.Status.ORPort6 = [16]byte{0x20, 1, 15: n}, uint16(n)
			}
			if tt.other[i] {
				r.Status.Published = 1
			}
		}))
		wantLines(t, tt.name, r.NSBody, "a", tt.want...)
		wantLines(t, tt.name, r.MicrodescBody, "a", tt.want...)
	}
}

func TestMicrodescDigest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method int
		votes  [][]vote.Microdesc
		want   byte // first byte of the digest, 0 for none
	}{
		{"most votes", 35, [][]vote.Microdesc{md(35, 1), md(35, 1), md(35, 2)}, 1},
		{"the highest", 35, [][]vote.Microdesc{md(35, 1), md(35, 2), nil}, 2},
		{"of the method", 34, [][]vote.Microdesc{append(md(34, 3), md(35, 1)...), md(35, 1), md(35, 1)}, 3},
		{"none", 34, [][]vote.Microdesc{md(35, 1), md(35, 1), md(35, 1)}, 0},
		{"of two lines the last", 35, [][]vote.Microdesc{append(md(35, 1), md(35, 2)...)}, 2},
	} {
		r := compute(t, aboutRelay(len(tt.votes), func(i int, v *vote.Vote, r *vote.Relay) {
			v.Methods, r.Microdescs = []int{tt.method}, tt.votes[i]
		}))
		var want []string
		if tt.want > 0 {
			digest := [32]byte{tt.want}
			want = []string{base64.RawStdEncoding.EncodeToString(digest[:])}
		}
		wantLines(t, tt.name, r.MicrodescBody, "m", want...)
		if len(r.Microdesc.Relays) != len(want) || len(r.NS.Relays) != 1 {
			t.Errorf("%s: %d relays", tt.name, len(r.Microdesc.Relays))
		}
	}
}

func md(method int, digest byte) []vote.Microdesc {
	return []vote.Microdesc{{Methods: 1 << method, Digest: [32]byte{digest}}}
}

func TestBandwidth(t *testing.T) {
	type bw struct {
		has, measured int // kilobytes per second, -1 for none
	}
	for _, tt := range []struct {
		name  string
		votes []bw
		other bool // three votes measure another relay
		max   int  // maxunmeasuredbw
		want  []string
	}{
		{"median of what was measured", []bw{{1, 30}, {1, 10}, {1, 20}, {1, -1}}, false, 0, []string{"Bandwidth=20"}},
		{"lower median", []bw{{1, 30}, {1, 10}, {1, 20}, {1, 5}}, false, 0, []string{"Bandwidth=10"}},
		{"two measure", []bw{{500, 30}, {600, 10}, {700, -1}}, false, 0, []string{"Bandwidth=600 Unmeasured=1"}},
		{"two measure, others are measured", []bw{{500, 30}, {600, 10}, {700, -1}}, true, 0, []string{"Bandwidth=20 Unmeasured=1"}},
		{"less than the cap", []bw{{5, -1}, {6, -1}, {7, -1}}, true, 0, []string{"Bandwidth=6 Unmeasured=1"}},
		{"other cap", []bw{{500, -1}, {600, -1}, {700, -1}}, true, 550, []string{"Bandwidth=550 Unmeasured=1"}},
		{"cap too low", []bw{{500, -1}, {600, -1}, {700, -1}}, true, -1 << 31, []string{"Bandwidth=600 Unmeasured=1"}},
		{"none", []bw{{-1, -1}, {-1, -1}, {-1, 5}}, false, 0, nil},
		{"measured alone", []bw{{-1, 1}, {-1, 2}, {-1, 5}}, false, 0, []string{"Bandwidth=2"}},
	} {
		r := compute(t, aboutRelay(len(tt.votes), func(i int, v *vote.Vote, r *vote.Relay) {
			if b := tt.votes[i].has; b >= 0 {
				r.Status.HasBandwidth, r.Status.Bandwidth = true, uint32(b)
			}
			if b := tt.votes[i].measured; b >= 0 {
				r.HasMeasured, r.Measured = true, uint32(b)
			}
			if tt.other {
				o := relay(v, 0)
				o.Flags, o.HasMeasured = 0, true
				v.Relays = append(v.Relays, o)
			}
			if tt.max != 0 {
				v.Params = list("maxunmeasuredbw", tt.max)
			}
		}))
		wantLines(t, tt.name, r.NSBody, "w", tt.want...)
	}
}

func TestGuardFraction(t *testing.T) {
	for _, tt := range []struct {
		name      string
		flag      string
		fractions []int // -1 for none
		want      string
	}{
		{"median", "Guard", []int{10, 100, 30}, "Bandwidth=100 Unmeasured=1 GuardFraction=30"},
		{"two votes", "Guard", []int{10, 100, -1}, "Bandwidth=100 Unmeasured=1"},
		{"no guard", "Exit", []int{10, 100, 30}, "Bandwidth=100 Unmeasured=1"},
	} {
		r := compute(t, aboutRelay(len(tt.fractions), func(i int, v *vote.Vote, r *vote.Relay) {
			r.Flags |= v.FlagsOf(tt.flag)
			r.Status.HasBandwidth, r.Status.Bandwidth = true, 100
			if f := tt.fractions[i]; f >= 0 {
				r.Status.HasGuardFraction, r.Status.GuardFraction = true, uint8(f)
			}
		}))
		wantLines(t, tt.name, r.NSBody, "w", tt.want)
	}
}

// Which relays count as what. Scale 300 makes the numbers short.
func TestWeightsOfRelays(t *testing.T) {
	for _, tt := range []struct {
		name   string
		relays []string // flags, and the bandwidth of each
		want   string   // Wgg, Wmg, Wee, Wme
	}{
		{"two guards of ten, two exits of ten", []string{"Guard", "Guard", "Exit", "Exit"}, "Wgg=205 Wmg=95 Wee=204 Wme=96"},
		{"bad exits are middles", []string{"Guard", "Guard", "Exit BadExit", "Exit BadExit"}, "Wgg=300 Wmg=0 Wee=300 Wme=0"},
		{"middle-only relays are middles", []string{"Guard", "Guard", "Exit MiddleOnly", "Exit MiddleOnly"}, "Wgg=300 Wmg=0 Wee=300 Wme=0"},
	} {
		r := compute(t, votesOf(1, func(_ int, v *vote.Vote) {
			v.Params = list("bwweightscale", 300)
			for i, flags := range tt.relays {
				e := relay(v, byte(i+1), strings.Fields(flags)...)
				e.Status.HasBandwidth, e.Status.Bandwidth = true, 10
				v.Relays = append(v.Relays, e)
			}
		}))
		var got []string
		all := strings.Fields(strings.Join(lines(r.NSBody, "bandwidth-weights"), " "))
		for _, name := range []string{"Wgg=", "Wmg=", "Wee=", "Wme="} {
			i := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, name) })
			got = append(got, all[max(i, 0)])
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, text, tt.want)
		}
	}
}
