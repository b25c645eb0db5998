package flags

import (
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/history"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Vote is the opinion of an authority on all relays.
type Vote struct {
	Thresholds
	KnownFlags []string  // the line known-flags; a flag that is not among them says nothing of the relays without it
	Relays     []Opinion // in the order of the relays that were given
}

// Opinion is the opinion of an authority on a relay.
type Opinion struct {
	Listed  bool // belongs into the vote; false if its descriptor is too old
	Flags   consensus.Flags
	IPv6    bool // the vote has its IPv6 address
	Figures history.Figures
}

// Stats is the text of the line stats, which authorities add to the entry of a relay.
func (o Opinion) Stats() string {
	return fmt.Sprintf("wfu=%.6f tk=%d mtbf=%.0f", o.Figures.WFU, int64(o.Figures.TimeKnown/time.Second), o.Figures.MTBF)
}

// voter is a decision on its way.
type voter struct {
	cfg     *Config
	relays  []Relay
	hist    *history.History
	now     time.Time
	running []bool
	sybil   []bool
	figures []history.Figures
	Thresholds
}

// Decide makes up an opinion on relays. It notes in the history which of them are down, and disowns Sybils there.
func Decide(cfg *Config, relays []Relay, hist *history.History, now time.Time) Vote {
	v := &voter{cfg: cfg, relays: relays, hist: hist, now: now}
	v.observe()
	v.computeThresholds()
	vote := Vote{Thresholds: v.Thresholds, KnownFlags: cfg.knownFlags(), Relays: make([]Opinion, len(relays))}
	for i := range relays {
		vote.Relays[i] = Opinion{
			Listed:  !relays[i].Published.Before(now.Add(-maxAge)),
			Flags:   v.flags(i),
			IPv6:    relays[i].publishesIPv6(cfg, now),
			Figures: v.figures[i],
		}
	}
	return vote
}

// observe finds out who is up and who is a Sybil, and what the history says then.
func (v *voter) observe() {
	v.running = make([]bool, len(v.relays))
	for i := range v.relays {
		r := &v.relays[i]
		v.running[i] = r.Running(v.cfg, v.now)
		if !v.running[i] && v.cfg.votesOnRunning() {
			v.hist.Unreachable(r.ID, r.downSince(v.cfg, v.now), v.now)
		}
	}
	v.sybil = sybils(v.cfg.MaxServersPerAddr, v.relays, v.running)
	v.figures = make([]history.Figures, len(v.relays))
	for i := range v.relays {
		if v.sybil[i] {
			v.hist.Disown(v.relays[i].ID, v.now)
		}
		v.figures[i] = v.hist.Figures(v.relays[i].ID, v.now)
	}
}

// strips are the flags that the operator may take away.
var strips = map[approvedrouters.Status]consensus.Flags{
	approvedrouters.StripGuard: consensus.Guard,
	approvedrouters.StripHSDir: consensus.HSDir,
	approvedrouters.StripV2Dir: consensus.V2Dir,
}

// flags follows dirauth_set_routerstatus_from_routerinfo. Later steps overrule earlier ones.
func (v *voter) flags(i int) (f consensus.Flags) {
	r := &v.relays[i]
	stable, fast := v.stable(i), v.credibleKB(r) >= v.FastKB
	set := func(flag consensus.Flags, on bool) {
		f &^= flag
		if on {
			f |= flag
		}
	}
	set(consensus.Authority, r.Trusted)
	set(consensus.Running, v.running[i])
	set(consensus.Valid, !r.Status.Has(approvedrouters.Invalid))
	set(consensus.Stable, stable)
	set(consensus.Fast, fast)
	set(consensus.V2Dir, r.DirCache)
	set(consensus.Exit, r.GeneralExit)
	set(consensus.HSDir, stable && fast && v.hsDir(i))
	set(consensus.Guard, stable && fast && v.guard(i))
	set(consensus.BadExit, v.cfg.ListBadExits && r.Status.Has(approvedrouters.BadExit))
	if v.cfg.ListMiddleOnly && r.Status.Has(approvedrouters.MiddleOnly) {
		set(consensus.MiddleOnly, true)
		set(consensus.BadExit, v.cfg.ListBadExits)
		set(consensus.Exit|consensus.Guard|consensus.HSDir|consensus.V2Dir, false)
	}
	for word, flag := range strips {
		if r.Status.Has(word) {
			set(flag, false)
		}
	}
	set(consensus.StaleDesc, r.Published.Add(staleAge).Before(v.now))
	if v.cfg.Testing {
		for _, t := range []struct {
			flag consensus.Flags
			Forced
		}{
			{consensus.Exit, v.cfg.TestingVoteExit},
			{consensus.Guard, v.cfg.TestingVoteGuard},
			{consensus.HSDir, v.cfg.TestingVoteHSDir},
		} {
			in := contains(t.Set, r)
			set(t.flag, in || f.Has(t.flag) && !t.Strict)
		}
	} else if contains(v.cfg.VoteGuard, r) {
		set(consensus.Guard, true)
	}
	if v.sybil[i] { // clear_status_flags_on_sybil knows neither BadExit nor MiddleOnly nor StaleDesc
		f = f&(consensus.BadExit|consensus.MiddleOnly|consensus.StaleDesc) | consensus.Sybil
	}
	if !v.cfg.votesOnRunning() {
		set(consensus.Running, false)
	}
	return f
}

// stable tells whether the relay stays up long enough for Stable.
func (v *voter) stable(i int) bool {
	if v.EnoughMTBF {
		mtbf := v.figures[i].MTBF
		return mtbf >= v.StableMTBF || mtbf >= v.cfg.StableGuaranteeMTBF.Seconds()
	}
	uptime := v.relays[i].uptimeAt(v.now)
	return uint32(uptime) >= v.StableUptime || uptime >= int64(v.cfg.StableGuaranteeMinUptime/time.Second)
}

// hsDir tells whether a stable and fast relay may hold onion service descriptors.
func (v *voter) hsDir(i int) bool {
	r := &v.relays[i]
	least := int64(v.cfg.MinUptimeHidServDirectoryV2 / time.Second)
	uptime := r.uptimeAt(v.now)
	if v.cfg.Uptime.Seconds() > float64(least)*1.1 { // else we cannot know better
		uptime = min(uptime, int64(v.figures[i].Uptime/time.Second))
	}
	return r.HSDir && r.DirCache && uptime >= least && v.active(i)
}

// guard tells whether a stable and fast relay may be a guard.
func (v *voter) guard(i int) bool {
	r := &v.relays[i]
	kb := v.credibleKB(r)
	enough := kb >= min(v.GuardIncExitsKB, v.GuardExcExitsKB)
	if g := v.cfg.GuardBWGuarantee; g > 0 && uint64(kb) >= g/1000 {
		enough = true
	}
	f := v.figures[i]
	return r.DirCache && enough && f.WFU >= v.GuardWFU && f.TimeKnown >= v.GuardTimeKnown
}

// knownFlags are the flags that we vote on, in their order.
func (c *Config) knownFlags() []string {
	var names []string
	for _, f := range []struct {
		name string
		on   bool
	}{
		{"Authority", true}, {"BadExit", c.ListBadExits}, {"Exit", true}, {"Fast", true}, {"Guard", true}, {"HSDir", true},
		{"MiddleOnly", c.ListMiddleOnly}, {"Running", c.votesOnRunning()}, {"Stable", true}, {"StaleDesc", true},
		{"Sybil", true}, {"V2Dir", true}, {"Valid", true},
	} {
		if f.on {
			names = append(names, f.name)
		}
	}
	return names
}
