package voteoracle

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// makeHeaders fills in what votes say before their relays.
func (g *generator) makeHeaders() {
	for i := range g.ballots {
		b := &g.ballots[i]
		b.methods = g.plan.Methods[i%len(g.plan.Methods)]
	}
	g.makeTimes()
	g.makeKnownFlags()
	g.makeLists()
	for i, params := range g.params() {
		b := &g.ballots[i]
		b.afterFlags = append(b.afterFlags, "flag-thresholds stable-uptime=693369 stable-mtbf=153249 enough-mtbf=1 ignoring-advertised-bws=1")
		if len(params) > 0 || g.chance(.5) {
			b.afterFlags = append(b.afterFlags, "params "+strings.Join(params, " "))
		}
		if g.chance(.3) {
			b.afterFlags = append(b.afterFlags, "bandwidth-file-headers timestamp=1795000000 version=1.4.0 software=sbws software_version=1.1.0",
				"bandwidth-file-digest sha256="+base64Of(g.bytes(32)))
		}
	}
	g.makeSources()
}

func (g *generator) makeTimes() {
	fresh := opinions(g, g.plan.Times, func() time.Duration { return time.Duration(600+60*g.IntN(60)) * time.Second })
	valid := opinions(g, g.plan.Times, func() time.Duration { return time.Duration(7200+60*g.IntN(60)) * time.Second })
	delays := opinions(g, g.plan.Times, func() [2]int { return [2]int{2 + g.IntN(300), 2 + g.IntN(300)} })
	for i := range g.ballots {
		b := &g.ballots[i]
		b.freshUntil, b.validUntil, b.delays = fresh[i], valid[i], delays[i]
		b.published = -time.Duration(60+g.IntN(600)) * time.Second
		if b.authority == g.plan.Self {
			b.published = time.Minute // younger than C tor's own, which it then does without
		}
	}
}

// allFlags are the flags that authorities can vote for, sorted.
var allFlags = []string{"Authority", "BadExit", "Exit", "Fast", "Guard", "HSDir", "MiddleOnly", "Running", "Stable", "StaleDesc", "Sybil",
	"V2Dir", "Valid"}

func (g *generator) makeKnownFlags() {
	for i := range g.ballots {
		var known []string
		for _, f := range allFlags {
			if rare := f == "BadExit" || f == "MiddleOnly"; rare && g.chance(.2) || g.chance(g.plan.KnownFlag) {
				continue
			}
			known = append(known, f)
		}
		for _, f := range []string{"Aardvark", "NoEdConsensus", "Xyzzy"} {
			if g.chance(g.plan.KnownFlag) {
				known = append(known, f)
			}
		}
		if g.plan.Naming > 0 && g.chance(.8) {
			known = append(known, "Named")
		}
		if g.plan.Naming > 0 && g.chance(.8) {
			known = append(known, "Unnamed")
		}
		slices.Sort(known)
		g.ballots[i].knownFlags = known
	}
	// C tor makes no consensus if nobody knows which relays run.
	if b := &g.ballots[0]; !slices.Contains(b.knownFlags, "Running") {
		b.knownFlags = append(b.knownFlags, "Running")
		slices.Sort(b.knownFlags)
	}
}

var (
	torVersions = []string{"0.2.9.17", "0.4.7.16", "0.4.8.9", "0.4.8.10", "0.4.8.21", "0.4.9.1-alpha", "0.4.9.2-alpha-dev", "0.4.9.3-rc", "0.4.9.9",
		"0.4.9.10", "0.4.9.11"}
	packageLines = []string{
		"package tor 0.4.9.11 https://example.test/tor.tar.gz sha256=aaaa",
		"package tor 0.4.9.11 https://example.test/tor.tar.gz sha256=bbbb sha512=cccc",
		"package browser 15.0 https://example.test/browser.tar.xz sha256=dddd",
		"package arti 2.6.0 https://example.test/arti.tar.gz sha256=eeee",
		"package broken 1.0 https://example.test/no-digest",
		"package broken 2.0 https://example.test/bad-digest sha256=a=b",
	}
	protocolSets = [4][]string{
		{"Cons=2", "Desc=2", "DirCache=2", "FlowCtrl=1-2", "HSDir=2", "HSIntro=4", "HSRend=2", "Link=5", "Microdesc=2", "Relay=2-4"},
		{"Cons=2", "Desc=2-3", "DirCache=2", "FlowCtrl=1-2", "HSDir=2", "HSIntro=4-5", "HSRend=2", "Link=5", "LinkAuth=3", "Relay=2-6", "Padding=2"},
		{"Cons=2", "Desc=2", "Link=4-5", "Microdesc=2", "Relay=2"},
		{"Cons=2", "Desc=2", "DirCache=2", "HSDir=2", "Link=4-5", "LinkAuth=3", "Relay=2,4-6", "Zebra=0,63"},
	}
	protocolNames = [4]string{"recommended-relay-protocols", "recommended-client-protocols", "required-relay-protocols", "required-client-protocols"}
)

// subset keeps each member with that chance.
func subset[T any](g *generator, list []T, keep float64) []T {
	var kept []T
	for _, v := range list {
		if g.chance(keep) {
			kept = append(kept, v)
		}
	}
	return kept
}

func (g *generator) makeLists() {
	dispute := g.plan.Lists
	for _, keyword := range []string{"client-versions", "server-versions"} {
		if g.chance(.2 * dispute) {
			continue
		}
		for i, versions := range opinions(g, dispute, func() []string { return subset(g, torVersions, .6) }) {
			separator := ","
			if g.chance(.1 * dispute) {
				separator = ", "
			}
			if g.chance(.1*dispute) && len(versions) > 0 {
				versions = append(slices.Clone(versions), versions[0])
			}
			if g.chance(.3 * dispute) {
				g.Shuffle(len(versions), func(i, j int) { versions[i], versions[j] = versions[j], versions[i] })
			}
			if !g.chance(.3 * dispute) {
				g.ballots[i].lists = append(g.ballots[i].lists, keyword+" "+strings.Join(versions, separator))
			}
		}
	}
	for i := range g.ballots {
		g.ballots[i].lists = append(g.ballots[i].lists, subset(g, packageLines, .6)...)
	}
	for n, keyword := range protocolNames {
		for i, protos := range opinions(g, dispute, func() string { return strings.Join(subset(g, protocolSets[n], .7), " ") }) {
			if g.chance(.2 * dispute) {
				protos = strings.TrimSpace(protos + " Yak=1-2,2,2-3") // counts once
			}
			if !g.chance(.2 * dispute) {
				g.ballots[i].lists = append(g.ballots[i].lists, keyword+" "+protos)
			}
		}
	}
}

// params are the parameters in the vote of each voter, sorted.
func (g *generator) params() [][]string {
	all := make([][]string, len(g.ballots))
	add := func(name string, voters []bool, value func() int64) {
		for i, has := range voters {
			if has {
				all[i] = append(all[i], fmt.Sprintf("%s=%d", name, value()))
			}
		}
	}
	n := len(all)
	for _, fixed := range g.plan.FixedParams {
		for i, has := range g.some(n-g.IntN(2), n) {
			if has {
				all[i] = append(all[i], fixed)
			}
		}
	}
	for _, name := range []string{"UseNTorHandshake", "bwauthpid", "cbttestfreq", "cc_alg", "cc_alg_more", "circwindow", "guard-n", "guard-n-primary",
		"hsdir_interval", "perconnbwrate", "refuseunknownexits"} {
		if !g.chance(.2 + .6*g.plan.Params) {
			continue
		}
		values := []int64{int64(g.IntN(3)), int64(g.IntN(1000)), -int64(g.IntN(1000)), 1<<31 - 1, -1 << 31}
		add(name, g.some(1+g.IntN(n), n), func() int64 { return among(g, values) })
	}
	for _, p := range []struct {
		name   string
		values []int64
	}{
		{"maxunmeasuredbw", []int64{-1, 0, 1, 15, 30, 200, 5000}}, {"bwweightscale", []int64{-5, 0, 1, 7, 100, 10000, 99999}},
		{"AuthDirNumSRVAgreements", []int64{1, 2, 3, 4, 5, 6, 7}},
	} {
		if slices.ContainsFunc(g.plan.FixedParams, func(s string) bool { return strings.HasPrefix(s, p.name+"=") }) || !g.chance(g.plan.Params) {
			continue
		}
		value := among(g, p.values)
		add(p.name, g.some(n/2+g.IntN(n/2+2), n), func() int64 {
			if g.chance(.2) {
				return among(g, p.values)
			}
			return value
		})
	}
	for i := range all {
		slices.Sort(all[i])
	}
	return all
}

func (g *generator) makeSources() {
	const protocolVersion = 1
	previous, current := g.srvs(), g.srvs()
	// A commitment is a time and a digest, a reveal the same time and what has the digest; nobody checks them here.
	commits := make([]string, len(g.ballots))
	for i := range commits {
		stamp := binary.BigEndian.AppendUint64(nil, 1795000000)
		commits[i] = fmt.Sprintf("shared-rand-commit %d sha3-256 %X %s", protocolVersion, Authorities()[g.ballots[i].authority].ID(),
			base64.StdEncoding.EncodeToString(append(slices.Clone(stamp), g.bytes(32)...)))
		if g.chance(.3) {
			commits[i] += " " + base64.StdEncoding.EncodeToString(append(stamp, g.bytes(32)...))
		}
	}
	for i := range g.ballots {
		b := &g.ballots[i]
		id := Authorities()[b.authority].ID()
		host := fmt.Sprintf("192.0.2.%d", b.authority+1)
		if g.chance(.3) {
			host = fmt.Sprintf("auth%d.example.test", b.authority)
		}
		contact := among(g, []string{"operator <mail@example.test>", "two  spaces", "1024D/EB5A896A28988BF5 x", "(none)"})
		b.source = append(b.source,
			fmt.Sprintf("dir-source auth%d %X %s 192.0.2.%d %d %d", b.authority, id, host, b.authority+1, among(g, []int{0, 80, 9030}), 443+g.IntN(2)),
			"contact "+contact)
		if g.chance(g.plan.Legacy) {
			b.legacy = fmt.Sprintf("legacy-dir-key %X", g.bytes(20))
		}
		if g.chance(.1 * g.plan.SRV) {
			if g.chance(.5) { // values without taking part do not count
				b.source = append(b.source, "shared-rand-current-value "+current[i])
			}
			continue
		}
		b.source = append(b.source, "shared-rand-participate")
		b.source = append(b.source, subset(g, commits, .8)...)
		if !g.chance(.1 * g.plan.SRV) {
			b.source = append(b.source, "shared-rand-previous-value "+previous[i])
		}
		if !g.chance(.1 * g.plan.SRV) {
			b.source = append(b.source, "shared-rand-current-value "+current[i])
		}
	}
}

// srvs are the shared random values of the voters. If they disagree, about as many agree on one as it takes.
func (g *generator) srvs() []string {
	value := func() string {
		return fmt.Sprintf("%d %s", 1+g.IntN(9), base64.StdEncoding.EncodeToString(g.bytes(32)))
	}
	all := opinions(g, 0, value)
	if !g.chance(g.plan.SRV) {
		return all
	}
	majority := g.plan.Authorities/2 + 1
	other := value()
	for i, agrees := range g.some(among(g, []int{majority - 1, majority, majority, majority + 1, len(all)}), len(all)) {
		if !agrees {
			all[i] = other
		}
	}
	return all
}
