package dirauth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/bwfile"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// A Relay is one that uploaded a descriptor, and what our operator says of it.
type Relay struct {
	*routerdesc.Descriptor
	Status approvedrouters.Status
}

// OpinionConfig is what makes the opinion of an authority, besides relays themselves.
type OpinionConfig struct {
	Log     *slog.Logger
	Flags   flags.Config               // but for Params, Uptime and Hibernating
	Start   time.Time                  // of this process
	Source  func() consensus.DirSource // what others know us as, but for the identity
	Self    [20]byte                   // RSA identity as a relay
	Trusted map[[20]byte]bool          // RSA identities of all authorities

	Timing         Timing // that we vote for
	IntervalsValid int
	ClientVersions []string // recommended; nil for no opinion
	ServerVersions []string
	Params         params.List // ConsensusParams
	AllowPrivate   bool

	// Bandwidths reads the bandwidth file; nil if there is none.
	Bandwidths func() ([]byte, error)
	// Relays lists all relays whose descriptors were taken, but for those that are to be rejected.
	Relays func() []Relay
	// Hibernating tells whether this node sleeps.
	Hibernating func() bool
	// Live is as in Config.
	Live func() *consensus.Consensus
	// Microdescs takes the microdescriptors that the vote lists.
	Microdescs func(texts [][]byte, at time.Time)
}

// Protocols that authorities of 0.4.9.11 recommend and require.
var (
	recommendedClient = protover.MustParse("Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4 HSRend=2 Link=4-5 Microdesc=2 Relay=2-4")
	recommendedRelay  = protover.MustParse("Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=2 Link=4-5 LinkAuth=3 Microdesc=2 Relay=2-4")
	requiredClient    = protover.MustParse("Cons=2 Desc=2 FlowCtrl=1 Link=4 Microdesc=2 Relay=2")
	requiredRelay     = protover.MustParse("Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=2 Link=4-5 LinkAuth=3 Microdesc=2 Relay=2-4")
)

// Opinions makes up what we think of relays. The goroutine that votes owns it.
type Opinions struct {
	cfg    OpinionConfig
	reach  *Reachability
	memory *Memory
	bw     bwfile.Cache
}

// NewOpinions returns what makes up our opinions.
func NewOpinions(cfg OpinionConfig, reach *Reachability, memory *Memory) *Opinions {
	return &Opinions{cfg: cfg, reach: reach, memory: memory}
}

// Vote fills a vote whose ValidAfter, Published and Cert are set (dirserv_generate_networkstatus_vote_obj in C tor).
func (o *Opinions) Vote(_ context.Context, v *vote.Vote) error {
	cfg := &o.cfg
	v.Source = cfg.Source()
	v.FreshUntil, v.ValidUntil = v.ValidAfter.Add(cfg.Timing.Interval), v.ValidAfter.Add(cfg.Timing.Interval*time.Duration(cfg.IntervalsValid))
	v.VoteDelay, v.DistDelay = cfg.Timing.VoteDelay, cfg.Timing.DistDelay
	v.ClientVersions, v.ServerVersions = cfg.ClientVersions, cfg.ServerVersions
	v.RecommendedClient, v.RecommendedRelay, v.RequiredClient, v.RequiredRelay = recommendedClient, recommendedRelay, requiredClient, requiredRelay
	v.Params = withServersPerAddr(cfg.Params, cfg.Flags.MaxServersPerAddr)
	measured := o.bandwidths(v)

	relays := uniqueEd(cfg.Relays())
	slices.SortFunc(relays, func(a, b Relay) int { return slices.Compare(a.RSA[:], b.RSA[:]) })
	fc := cfg.Flags
	fc.Uptime, fc.Hibernating = v.Published.Sub(cfg.Start), cfg.Hibernating()
	if c := cfg.Live(); c != nil {
		fc.Params = c.Params
	}
	facts := make([]flags.Relay, len(relays))
	for i, r := range relays {
		f := flags.FromDescriptor(r.Descriptor, cfg.AllowPrivate)
		f.Own, f.Status = r.RSA == cfg.Self, r.Status
		f.Trusted = cfg.Trusted[r.RSA]
		f.Reached, f.Reached6 = o.reach.When(r.RSA)
		f.MeasuredKB, f.Measured = o.bw.Get(r.RSA)
		facts[i] = f
	}
	decided := o.memory.decide(&fc, facts, v.Published)
	v.KnownFlags, v.FlagThresholds = decided.KnownFlags, decided.Thresholds.String()
	intern := consensus.NewInterner()
	var micro [][]byte
	for i, r := range relays {
		if !decided.Relays[i].Listed {
			continue
		}
		e, texts, err := entry(v, r.Descriptor, &facts[i], &decided.Relays[i], intern)
		if err != nil {
			cfg.Log.Debug("A relay is left out of the vote", "relay", r.Nickname, "err", err)
			continue
		}
		if kb, ok := measured[r.RSA]; ok {
			if facts[i].Trusted {
				e.MeasuredAuthority = kb
			} else {
				e.Measured, e.HasMeasured = kb, true
			}
		}
		v.Relays = append(v.Relays, e)
		micro = append(micro, texts...)
	}
	cfg.Microdescs(micro, v.ValidAfter)
	return nil
}

// entry makes the entry of a relay, and the microdescriptors that it lists.
func entry(v *vote.Vote, d *routerdesc.Descriptor, f *flags.Relay, o *flags.Opinion, intern consensus.Interner) (e vote.Relay, micro [][]byte, err error) {
	s := &e.Status
	s.ID, s.Published, s.ORPort, s.DirPort = d.RSA, d.Published.Unix(), d.OR.Port(), d.DirPort
	copy(s.Digest[:], d.Digest[:])
	s.Addr4 = d.OR.Addr().As4()
	if o.IPv6 && d.OR6.IsValid() {
		s.Addr6, s.ORPort6 = d.OR6.Addr().As16(), d.OR6.Port()
	}
	if !s.SetNickname(d.Nickname) {
		return e, nil, fmt.Errorf("nickname %.64q is none", d.Nickname)
	}
	if s.Protos, err = intern.Protos([]byte(d.Protocols)); err != nil {
		return e, nil, err
	}
	s.Version = versionOf(d.Platform)
	s.Bandwidth, s.HasBandwidth = f.AdvertisedKB(), true
	s.Policy = d.Policy.Summarize(false).String()
	e.Flags = v.FlagsOf((&consensus.Consensus{KnownFlags: v.KnownFlags}).Names(o.Flags)...)
	e.Ed25519, e.HasEd25519 = d.Ed25519, true
	e.Stats = o.Stats()
	list, err := tally.Microdescs(d)
	if err != nil {
		return e, nil, err
	}
	for i := range list {
		e.Microdescs = append(e.Microdescs, list[i].Microdesc)
		micro = append(micro, list[i].Text)
	}
	return e, micro, nil
}

// withServersPerAddr adds to the parameters of an operator, if there are any, how many relays may share an address: people are to
// see that (dirserv_generate_networkstatus_vote_obj in C tor).
func withServersPerAddr(list params.List, n int) params.List {
	const name = "AuthDirMaxServersPerAddr"
	if _, ok := list.Lookup(name); len(list) == 0 || ok {
		return list
	}
	i, _ := slices.BinarySearchFunc(list, name, func(v params.Value, name string) int { return params.Compare(v.Name, name) })
	return slices.Insert(slices.Clone(list), i, params.Value{Name: name, Value: int32(n)})
}

// versionOf is the version in a platform line: "Tor 0.4.9.11 on Linux" has "Tor 0.4.9.11". Other programs have none that anybody
// could compare (version_from_platform in C tor).
func versionOf(platform string) string {
	rest, ok := strings.CutPrefix(platform, "Tor ")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " ")
	version, _, _ := strings.Cut(rest, " ")
	return "Tor " + version
}

// uniqueEd leaves one relay of each Ed25519 identity, the one with the newest descriptor (routers_make_ed_keys_unique in C tor).
func uniqueEd(list []Relay) []Relay {
	best := make(map[[32]byte]*routerdesc.Descriptor, len(list))
	for _, r := range list {
		if old := best[r.Ed25519]; old == nil || cmp.Or(r.Published.Compare(old.Published), slices.Compare(old.Digest[:], r.Digest[:])) > 0 {
			best[r.Ed25519] = r.Descriptor
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(r Relay) bool { return best[r.Ed25519] != r.Descriptor })
}

// bandwidths reads the bandwidth file, and returns what it has for the vote.
func (o *Opinions) bandwidths(v *vote.Vote) map[[20]byte]uint32 {
	if o.cfg.Bandwidths == nil {
		o.bw.Clear()
		return nil
	}
	text, err := o.cfg.Bandwidths()
	f, perr := bwfile.Parse(text, v.Published)
	if err == nil {
		err = perr
	}
	v.Bandwidths = &vote.BandwidthFile{Digest: f.Digest}
	if err != nil {
		o.cfg.Log.Warn("V3BandwidthsFile cannot be used", "err", err)
		return nil
	}
	for _, w := range f.Warnings {
		o.cfg.Log.Debug("A line of V3BandwidthsFile is left out", "err", w)
	}
	v.Bandwidths.Headers = strings.Join(f.Headers, " ")
	o.bw.Update(f, v.Published)
	return f.Voted()
}
