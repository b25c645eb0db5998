package voteoracle

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// A Plan says what votes to make for a scenario. The same plan makes the same votes, but for their times and signatures.
type Plan struct {
	Name        string
	Authorities int  // that C tor knows; at most MaxAuthorities
	Voters      int  // that cast a vote, C tor's included: more than half of Authorities
	Self        int  // the authority that C tor is
	OwnVote     bool // C tor's own vote counts; else it gets a younger one in its name
	FreshSRV    bool // to be recorded when C tor has just computed a shared random value
	Relays      int

	// Methods are the lists of consensus methods of the voters, in turn. C tor's own is "32 33 34 35".
	Methods []string

	// Chances, from 0 to 1, that voters disagree about a thing: each of them then takes one of two or three values.
	Listing   float64 // a relay is in some votes only, around half of them
	Desc      float64 // nickname, address, ports, publication time, and digest of the descriptor
	Flag      float64 // one voter sees one flag otherwise
	KnownFlag float64 // one voter does not know a flag, or knows a strange one
	Ed        float64 // Ed25519 identity: others, none, or no line
	IPv6      float64
	Version   float64
	Protos    float64
	Bandwidth float64
	Policy    float64
	Microdesc float64
	Lists     float64 // versions and protocols in the header
	Params    float64
	SRV       float64
	Times     float64
	Legacy    float64 // one voter has a legacy key
	Naming    float64 // a relay is Named or Unnamed
	Shuffle   float64 // the lines of an entry are out of order
	Huge      float64 // a relay has as much bandwidth as fits

	Measuring      int // voters who measure bandwidths
	GuardFractions int // voters who tell guard fractions

	// Shares are how much of the bandwidth is of guards, of middles, of exits, and of relays that are both, per 1000.
	// At most 20000 kB/s per relay together.
	Shares [4]int

	// Exact makes Shares the bandwidths of relays in kB/s.
	Exact bool

	Plain bool // relays have no flags but those that their share tells, Fast, Running, Stable, V2Dir and Valid

	// FixedParams are in most votes.
	FixedParams []string
}

// rand is a source of choices that depends on nothing but the name of the plan.
func (p *Plan) rand() *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(p.Name))
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

// Votes makes the signed votes of the plan for a consensus of that time.
func (p *Plan) Votes(validAfter time.Time) []Vote {
	g := newGenerator(p)
	g.makeHeaders()
	g.makeRelays()
	var votes []Vote
	for i, b := range g.ballots {
		if p.OwnVote && b.authority == p.Self {
			continue
		}
		votes = append(votes, Vote{b.authority, g.ballots[i].sign(validAfter)})
	}
	return votes
}
