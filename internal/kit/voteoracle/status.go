package voteoracle

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// lines are those that take no more choices: r, a, v and pr.
func (r *relay) lines(voter int) []string {
	d := &r.descs[voter]
	lines := []string{fmt.Sprintf("r %s %s %s %s %v %d %d", d.nickname, base64Of(r.id[:]), base64Of(d.digest), d.published.Format(timeLayout), d.addr,
		d.orPort, d.dirPort)}
	lines = append(lines, r.ipv6[voter]...)
	return append(lines, r.versions[voter], r.protos[voter])
}

// flagLine is the s line: what is true of the relay and the voter knows of, but for what this voter sees otherwise.
func (g *generator) flagLine(r *relay, b *ballot) string {
	var flags []string
	for _, f := range b.knownFlags {
		has := slices.Contains(r.flags, f)
		switch f {
		case "Named", "Unnamed":
			has = g.chance(g.plan.Naming)
		case "Aardvark", "NoEdConsensus", "Xyzzy":
			has = g.chance(.5)
		}
		doubt := g.plan.Flag
		if f == "Running" || f == "Valid" {
			doubt /= 2 // else few relays are left
		}
		if has != g.chance(doubt) {
			flags = append(flags, f)
		}
	}
	return strings.TrimSpace("s " + strings.Join(flags, " "))
}

// weight is the w line.
func (g *generator) weight(r *relay, voter int, measures, guesses bool) string {
	var w []string
	if !g.chance(.1 * g.plan.Bandwidth) {
		w = append(w, fmt.Sprintf("Bandwidth=%d", r.bandwidths[voter]))
	}
	if measures && !g.chance(.3*g.plan.Bandwidth) {
		w = append(w, fmt.Sprintf("Measured=%d", min(r.bandwidth*(80+g.IntN(40))/100, math.MaxInt32)))
	}
	if g.chance(.1 * g.plan.Bandwidth) {
		w = append(w, "Unmeasured=1")
	}
	if g.chance(.05 * g.plan.Bandwidth) {
		w = append(w, "MeasuredButAuthority=7", "Strange=1")
	}
	if guesses && !g.chance(.2) {
		w = append(w, fmt.Sprintf("GuardFraction=%d", g.IntN(101)))
	}
	if len(w) == 0 {
		return ""
	}
	return "w " + strings.Join(w, " ")
}
