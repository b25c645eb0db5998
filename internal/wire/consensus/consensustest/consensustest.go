// Package consensustest makes consensuses for tests and benchmarks: of any size, of the shape that the public network's
// has, signed, with the microdescriptors that they list, and the same for the same seed.
package consensustest

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// Options say what to make. The zero value is a microdesc consensus of no relays and no authority but with a source.
type Options struct {
	Relays      int
	Seed        uint64
	Flavor      consensus.Flavor
	ValidAfter  time.Time   // 2026-01-01 00:00:00 if zero; fresh for one hour, valid for three
	Authorities []Authority // all sign; if empty, Authorities(1)
}

// A Network is a consensus and what belongs to it.
type Network struct {
	Consensus   *consensus.Consensus // as parsed from Doc
	Doc         []byte
	Microdescs  [][]byte // in the order of Consensus.Relays; nil in the ns flavor
	Authorities []Authority
}

// New makes a network.
func New(o Options) *Network {
	if o.ValidAfter.IsZero() {
		o.ValidAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if len(o.Authorities) == 0 {
		o.Authorities = Authorities(1)
	}
	g := generator{rand.New(rand.NewPCG(o.Seed, 0)), o}
	n := &Network{Authorities: o.Authorities}
	c := g.header()
	for range o.Relays {
		r, md := g.relay()
		c.Relays = append(c.Relays, r)
		n.Microdescs = append(n.Microdescs, md)
	}
	sortRelays(c.Relays, n.Microdescs)
	if o.Flavor == consensus.NS {
		n.Microdescs = nil
	}
	n.Doc = Sign(c, o.Authorities)
	n.Consensus = must(consensus.Parse(n.Doc))
	return n
}

// Sign writes a consensus with the signatures of the authorities in place of those that it has.
func Sign(c *consensus.Consensus, by []Authority) []byte {
	body := must(c.AppendBody(nil))
	signed := consensus.Signed(body)
	alg, sum1, sum256 := consensus.SHA256, sha1.Sum(signed), sha256.Sum256(signed)
	digest := sum256[:]
	if c.Flavor == consensus.NS {
		alg, digest = consensus.SHA1, sum1[:]
	}
	c.Signatures = nil
	for i := range by {
		c.Signatures = append(c.Signatures, by[i].Sign(alg, digest))
	}
	return must(c.AppendSignatures(body))
}

// sortRelays puts the entries in order and their microdescriptors likewise.
func sortRelays(relays []consensus.RouterStatus, mds [][]byte) {
	byDigest := make(map[[20]byte][]byte, len(relays))
	for i := range relays {
		byDigest[relays[i].ID] = mds[i]
	}
	slices.SortFunc(relays, func(a, b consensus.RouterStatus) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for i := range relays {
		mds[i] = byDigest[relays[i].ID]
	}
}

type generator struct {
	*rand.Rand
	o Options
}

// fill writes random bytes.
func (g *generator) fill(b []byte) {
	for i := range b {
		b[i] = byte(g.Uint32())
	}
}

// The parameters are some of the live network's.
const liveParams = "CircuitPriorityHalflifeMsec=30000 DoSCircuitCreationBurst=60 DoSCircuitCreationEnabled=1 " +
	"DoSCircuitCreationMinConnections=2 DoSCircuitCreationRate=2 DoSConnectionEnabled=1 DoSConnectionMaxConcurrentCount=50 " +
	"DoSRefuseSingleHopClientRendezvous=1 ExtendByEd25519ID=1 KISTSchedRunInterval=3 NumNTorsPerTAP=100 UseOptimisticData=1 " +
	"bwauthpid=1 cbttestfreq=1 cc_alg=2 cc_cwnd_full_gap=4 cc_cwnd_full_minpct=25 cc_cwnd_inc=1 cc_cwnd_inc_rate=31 " +
	"cc_sscap_exit=600 cc_sscap_onion=475 cc_vegas_alpha_exit=186 cc_vegas_beta_onion=372 cc_vegas_delta_exit=310 " +
	"cc_vegas_gamma_exit=186 cfx_low_exit_threshold=5000 circ_max_cell_queue_size=1250 circ_max_cell_queue_size_out=1000 " +
	"dos_num_circ_max_outq=5 guard-n-primary-dir-guards-to-use=2 guard-n-primary-guards-to-use=2 hs_service_max_rdv_failures=1 " +
	"hsdir_spread_store=4 overload_onionskin_ntor_period_secs=10800 overload_onionskin_ntor_scale_percent=500 " +
	"sendme_emit_min_version=1"

const liveWeights = "Wbd=0 Wbe=0 Wbg=4194 Wbm=10000 Wdb=10000 Web=10000 Wed=10000 Wee=10000 Weg=10000 Wem=10000 Wgb=10000 " +
	"Wgd=0 Wgg=5806 Wgm=5806 Wmb=10000 Wmd=0 Wme=0 Wmg=4194 Wmm=10000"

func (g *generator) header() *consensus.Consensus {
	va := g.o.ValidAfter
	c := &consensus.Consensus{
		Flavor: g.o.Flavor, Method: 35, ValidAfter: va, FreshUntil: va.Add(time.Hour), ValidUntil: va.Add(3 * time.Hour),
		VoteDelay: 300 * time.Second, DistDelay: 300 * time.Second,
		ClientVersions: recommended, ServerVersions: recommended,
		KnownFlags: []string{"Authority", "BadExit", "Exit", "Fast", "Guard", "HSDir", "MiddleOnly", "NoEdConsensus", "Running",
			"Stable", "StaleDesc", "Sybil", "V2Dir", "Valid"},
		RecommendedClient: protover.RecommendedClient, RecommendedRelay: protover.RecommendedRelay,
		RequiredClient: protover.RequiredClient, RequiredRelay: protover.RequiredRelay,
		Params: must(params.Parse([]byte(liveParams))), Weights: must(params.Parse([]byte(liveWeights))),
		PreviousSRV: &consensus.SRV{Reveals: 9}, CurrentSRV: &consensus.SRV{Reveals: 8},
	}
	g.fill(c.PreviousSRV.Value[:])
	g.fill(c.CurrentSRV.Value[:])
	for i := range g.o.Authorities {
		d := consensus.DirSource{
			Nickname: g.o.Authorities[i].Nickname, Identity: g.o.Authorities[i].ID(), Hostname: fmt.Sprintf("auth%d.example", i),
			Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), DirPort: 80, ORPort: 443, Contact: "operator <mail@example>",
		}
		g.fill(d.VoteDigest[:])
		c.Sources = append(c.Sources, d)
	}
	slices.SortFunc(c.Sources, func(a, b consensus.DirSource) int { return slices.Compare(a.Identity[:], b.Identity[:]) })
	return c
}
