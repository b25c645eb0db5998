package voteoracle

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A desc is what a relay's descriptor tells that counts when voters disagree about which is the right one.
type desc struct {
	nickname  string
	digest    []byte
	published time.Time
	addr      netip.Addr
	orPort    int
	dirPort   int
}

// A role is a share of the bandwidth: guards, middles, exits, both.
type role int

const (
	guard role = iota
	middle
	exit
	both
	roles
)

// makeRelays fills in the entries. An Ed25519 identity is in a vote once.
func (g *generator) makeRelays() {
	used := make([]map[string]bool, len(g.ballots))
	measures := g.some(g.plan.Measuring, len(g.ballots))
	guesses := g.some(g.plan.GuardFractions, len(g.ballots))
	eds := make([]string, g.plan.Relays+1)
	for n := range eds {
		eds[n] = edLine(g.bytes(32))
	}
	for n := range g.plan.Relays {
		r := g.relay(n)
		lists, ids := g.listing(), g.edLines(eds[n], eds[n+1])
		for i := range g.ballots {
			if !lists[i] {
				continue
			}
			if used[i] == nil {
				used[i] = map[string]bool{}
			}
			if strings.HasPrefix(ids[i], "id ed25519 ") && !strings.HasSuffix(ids[i], " none") {
				if used[i][ids[i]] {
					ids[i] = "id ed25519 none"
				}
				used[i][ids[i]] = true
			}
			b := &g.ballots[i]
			lines := r.lines(i)
			lines = append(lines, g.weight(r, i, measures[i], guesses[i] && r.role != middle && r.role != exit))
			if p := r.policies[i]; p != "" {
				lines = append(lines, p)
			}
			if ids[i] != "" {
				lines = append(lines, ids[i])
			}
			if g.chance(.3) {
				lines = append(lines, fmt.Sprintf("stats wfu=%.6f tk=%d mtbf=%d", g.Float64(), g.IntN(1e6), g.IntN(1e6)))
			}
			lines = append(lines, r.microdescs[i]...)
			lines = append(lines, g.flagLine(r, b))
			sortEntry(lines)
			if g.chance(g.plan.Shuffle) {
				rest := lines[1:]
				g.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
			}
			b.entries = append(b.entries, entry{r.id, slices.DeleteFunc(lines, func(l string) bool { return l == "" })})
		}
	}
}

// sortEntry puts the lines of an entry in C tor's order, but for the order of those with the same keyword.
func sortEntry(lines []string) {
	order := []string{"r", "a", "s", "v", "pr", "w", "p", "id", "stats", "m", ""}
	rank := func(line string) int {
		keyword, _, _ := strings.Cut(line, " ")
		return slices.Index(order, keyword)
	}
	slices.SortStableFunc(lines, func(x, y string) int { return rank(x) - rank(y) })
}

// A relay is what voters say of it, each by its index.
type relay struct {
	id         [20]byte
	role       role
	bandwidth  int // kB/s
	flags      []string
	descs      []desc
	ipv6       [][]string
	versions   []string
	protos     []string
	policies   []string
	microdescs [][]string
	bandwidths []int
}

func (g *generator) relay(n int) *relay {
	p := g.plan
	r := &relay{id: [20]byte(g.bytes(20)), role: g.roleOf(n)}
	switch {
	case p.Exact:
		r.bandwidth = p.Shares[r.role]
	case g.chance(.02):
		r.bandwidth = 0
	case g.chance(p.Huge):
		r.bandwidth = math.MaxInt32
	default:
		r.bandwidth = p.Shares[r.role]*20 + g.IntN(3)
	}
	r.flags = g.flags(r.role)
	base := g.desc(n)
	r.descs = opinions(g, p.Desc, func() desc { return g.variant(base) })
	r.ipv6 = opinions(g, p.IPv6, g.ipv6)
	r.versions = opinions(g, p.Version, func() string {
		return among(g, []string{"v Tor 0.4.8.9", "v Tor 0.4.8.10", "v Tor 0.4.9.3-alpha", "v Tor 0.4.9.11", "v Tor 0.4.9.11-dev", "v Tor x.y", "v Tor 0.4.10.1", ""})
	})
	r.protos = opinions(g, p.Protos, func() string {
		return "pr " + among(g, []string{"Cons=1-2 Desc=1-2 Link=1-5 Relay=1-4", "Cons=2 Desc=2-3 Link=5 Relay=2-6", "Link=1-5 Cons=1-2", "Zebra=5", ""})
	})
	accept := r.role == exit || r.role == both
	r.policies = opinions(g, p.Policy, func() string { return g.policy(accept) })
	if p.Policy > 0 && g.chance(.3*p.Policy) { // those who list one descriptor tell no policy
		odd := among(g, r.descs).digest
		for i := range r.policies {
			if bytes.Equal(r.descs[i].digest, odd) {
				r.policies[i] = ""
			}
		}
	}
	r.microdescs = opinions(g, p.Microdesc, g.microdescs)
	r.bandwidths = opinions(g, p.Bandwidth, func() int {
		if p.Exact {
			return r.bandwidth
		}
		return min(r.bandwidth*(50+g.IntN(100))/100, math.MaxInt32)
	})
	return r
}

// roleOf spreads the roles that have a share evenly.
func (g *generator) roleOf(n int) role {
	var have []role
	for k := range roles {
		if g.plan.Shares[k] > 0 {
			have = append(have, k)
		}
	}
	return have[n%len(have)]
}

func (g *generator) flags(k role) []string {
	flags := []string{"Fast", "Running", "Stable", "V2Dir", "Valid"}
	if k == guard || k == both {
		flags = append(flags, "Guard")
	}
	if k == exit || k == both {
		flags = append(flags, "Exit")
	}
	if g.plan.Plain {
		return flags
	}
	for _, rare := range []string{"Authority", "BadExit", "HSDir", "MiddleOnly", "StaleDesc", "Sybil"} {
		if g.chance(.08) || rare == "HSDir" && g.chance(.5) {
			flags = append(flags, rare)
		}
	}
	return flags
}

// epoch is about when relays published their descriptors.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (g *generator) desc(n int) desc {
	return desc{
		nickname: fmt.Sprintf("relay%d", n), digest: g.bytes(20), published: epoch.Add(time.Duration(g.IntN(1e5)) * time.Second),
		addr: netip.AddrFrom4([4]byte(g.bytes(4))), orPort: 1 + g.IntN(65535), dirPort: among(g, []int{0, 0, 80, 9030}),
	}
}

// variant is another descriptor, or the same with something told otherwise, which no honest voter would do.
func (g *generator) variant(d desc) desc {
	if g.chance(.6) {
		d.digest = g.bytes(20)
	}
	if g.chance(.4) {
		d.published = epoch.Add(time.Duration(g.IntN(3)) * time.Hour)
	}
	if g.chance(.3) {
		d.nickname = among(g, []string{"Unnamed", d.nickname + "x", "A" + d.nickname, strings.ToUpper(d.nickname)})
	}
	if g.chance(.3) {
		a := d.addr.As4()
		a[g.IntN(4)] ^= byte(1 << g.IntN(8))
		d.addr = netip.AddrFrom4(a)
	}
	if g.chance(.3) {
		d.orPort = 1 + g.IntN(65535)
	}
	if g.chance(.3) {
		d.dirPort = among(g, []int{0, 80, 9030})
	}
	return d
}

// ipv6 are the a lines of a vote. The first that is one IPv6 address with one port is taken, if it is any good.
func (g *generator) ipv6() []string {
	one := func() string {
		return fmt.Sprintf("a [2001:db8:%x::%x]:%d", 1+g.IntN(2), 1+g.IntN(2), among(g, []int{443, 9001}))
	}
	switch g.IntN(10) {
	case 0, 1, 2:
		return nil
	case 6:
		return []string{"a [::]:443", one()}
	case 7:
		return []string{"a [2001:db8::9]:0"}
	case 3:
		return []string{"a 192.0.2.77:443", one()}
	case 4:
		return []string{one(), one()}
	case 5:
		return []string{"a [2001:db8::]/32:443", "a [2001:db8::7]:1-65535", one()}
	}
	return []string{one()}
}

func (g *generator) policy(accept bool) string {
	if !accept && g.chance(.8) {
		return "p reject 1-65535"
	}
	return among(g, []string{"p accept 80,443", "p accept 20-23,43,53,79-81", "p reject 25,119,135-139,445", "p accept 80,443,6667", "p reject 1-65535", ""})
}

// microdescs are the m lines of a vote. The last line that names the method counts.
func (g *generator) microdescs() []string {
	digest := func() string { return "sha256=" + base64Of(g.bytes(32)) }
	switch g.IntN(12) {
	case 0:
		return nil
	case 1:
		return []string{"m 32,33,34,35 " + digest()}
	case 2:
		return []string{"m 28,29,30,31,32,33 " + digest(), "m 34,35 " + digest()}
	case 3:
		return []string{"m 32,33 " + digest(), "m 34 " + digest()}
	case 4:
		return []string{"m 32,33,34,35 " + digest(), "m 35 " + digest(), "m 33 " + digest()}
	case 5:
		return []string{"m 32,33,34,35 sha1=" + base64Of(g.bytes(20)) + " " + digest()}
	case 6:
		return []string{"m 32,33,34,35 " + digest(), "m 35 sha1=" + base64Of(g.bytes(20))}
	case 7:
		return []string{"m 132,332,35,34 " + digest(), "m 32,33 " + digest()}
	case 8:
		return []string{"m 32,33,34 sha256=tooshort", "m 35 " + digest()}
	}
	return []string{"m 32,33,34 " + digest(), "m 35 " + digest()}
}

// listing says which voters list a relay: mostly about as many as it takes.
func (g *generator) listing() []bool {
	n := len(g.ballots)
	if !g.chance(g.plan.Listing) {
		return g.some(n, n)
	}
	majority := g.plan.Authorities/2 + 1
	return g.some(among(g, []int{1, majority - 1, majority - 1, majority, majority, majority + 1, n - 1, n}), n)
}

func edLine(key []byte) string { return "id ed25519 " + base64Of(key) }

// edLines are the id lines of a relay, by voter: its own, or with some voters none, or that of the next relay, or another.
func (g *generator) edLines(own, next string) []string {
	lines := slices.Repeat([]string{own}, len(g.ballots))
	if !g.chance(g.plan.Ed) {
		return lines
	}
	majority := g.plan.Authorities/2 + 1
	other := edLine(g.bytes(32))
	kinds := []string{among(g, []string{"", "id ed25519 none", next, other}), among(g, []string{"", "id ed25519 none", next, other})}
	for i, odd := range g.some(among(g, []int{1, len(lines) - majority, len(lines) - majority + 1, len(lines) / 2, len(lines)}), len(lines)) {
		switch {
		case odd && g.chance(.1):
			lines[i] = "id rsa1024 " + base64Of(bytes.Repeat([]byte{1}, 20)) // C tor knows no such type
		case odd:
			lines[i] = among(g, kinds)
		}
	}
	return lines
}
