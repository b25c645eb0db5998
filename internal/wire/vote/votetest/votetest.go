// Package votetest makes votes for tests and benchmarks: of any number of authorities about any number of relays, which
// disagree here and there as real ones do, and the same for the same seed.
package votetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// MaxSigned is how many of the votes have certificates, so that they can be signed. The others have all else.
const MaxSigned = consensustest.MaxAuthorities

// Make makes the votes of authorities about relays. They know consensus methods 32 to 35.
func Make(authorities, relays int, seed uint64) []*vote.Vote {
	signed := consensustest.Authorities(min(authorities, MaxSigned))
	n := consensustest.New(consensustest.Options{Relays: relays, Seed: seed, Authorities: signed})
	votes := make([]*vote.Vote, authorities)
	for i := range votes {
		g := rand.New(rand.NewPCG(seed, uint64(i)))
		v := header(n.Consensus, i)
		if i < len(signed) {
			c := n.Consensus
			text := signed[i].Cert(c.ValidAfter.AddDate(0, -1, 0), c.ValidAfter.AddDate(1, 0, 0))
			v.Cert = must(authcert.Parse(text))
			v.Source.Identity = v.Cert.Fingerprint
		}
		for j := range n.Consensus.Relays {
			if g.IntN(50) > 0 { // not all authorities know all relays
				v.Relays = append(v.Relays, relay(v, n.Consensus, &n.Consensus.Relays[j], i, g))
			}
		}
		votes[i] = v
	}
	return votes
}

// Sign writes a vote, which must be one of the first MaxSigned.
func Sign(v *vote.Vote) []byte {
	for _, a := range consensustest.Authorities(MaxSigned) {
		if a.ID() == v.Source.Identity {
			return must(v.Sign(a.Signing))
		}
	}
	panic("votetest: vote of an authority without keys")
}

// header makes a vote without relays.
func header(c *consensus.Consensus, i int) *vote.Vote {
	return &vote.Vote{
		Methods:   []int{32, 33, 34, 35},
		Published: c.ValidAfter.Add(-10 * time.Minute), ValidAfter: c.ValidAfter, FreshUntil: c.FreshUntil, ValidUntil: c.ValidUntil,
		VoteDelay: c.VoteDelay, DistDelay: c.DistDelay,
		ClientVersions: c.ClientVersions, ServerVersions: c.ServerVersions,
		RecommendedClient: c.RecommendedClient, RecommendedRelay: c.RecommendedRelay,
		RequiredClient: c.RequiredClient, RequiredRelay: c.RequiredRelay,
		KnownFlags: []string{"Authority", "BadExit", "Exit", "Fast", "Guard", "HSDir", "MiddleOnly", "Running", "Stable", "StaleDesc",
			"Sybil", "V2Dir", "Valid"},
		FlagThresholds: "stable-uptime=693369 stable-mtbf=153249 fast-speed=40960 enough-mtbf=1", Params: c.Params,
		Bandwidths: &vote.BandwidthFile{Headers: "timestamp=1700000000 version=1.4.0", Digest: [32]byte{1}},
		Source: consensus.DirSource{
			Nickname: fmt.Sprintf("auth%d", i), Identity: [20]byte{byte(i + 1)}, Hostname: "host.example",
			Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), DirPort: 80, ORPort: 443, Contact: "mail@example",
		},
		SharedRandom: &vote.SharedRandom{Previous: c.PreviousSRV, Current: c.CurrentSRV},
	}
}

// relay makes an entry out of that of the consensus.
func relay(v *vote.Vote, c *consensus.Consensus, r *consensus.RouterStatus, i int, g *rand.Rand) vote.Relay {
	out := vote.Relay{
		Status: *r, Flags: v.FlagsOf(c.Names(r.Flags)...), Measured: max(1, r.Bandwidth-r.Bandwidth/16+uint32(g.IntN(int(r.Bandwidth/8+1)))),
		HasMeasured: i%2 == 0, HasEd25519: true, Microdescs: []vote.Microdesc{{Methods: 0xf << 32, Digest: r.Digest}},
		Stats: vote.FormatStats(0.98, 100*time.Hour, 1e6),
	}
	copy(out.Ed25519[:], r.ID[:])
	s := &out.Status
	s.Flags, s.Unmeasured, s.Policy, s.Published = 0, false, "reject 1-65535", c.ValidAfter.Unix()-3600
	if r.Flags.Has(consensus.Exit) {
		s.Policy = "accept 80,443"
	}
	s.Digest = [32]byte{}
	copy(s.Digest[:20], r.Digest[:])
	if g.IntN(20) == 0 { // an older descriptor
		s.Digest[0] ^= 1
		s.Published -= 18 * 3600
	}
	if g.IntN(20) == 0 {
		out.Flags &^= v.FlagsOf("Stable", "Guard")
	}
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("votetest: " + err.Error())
	}
	return v
}
