package voteoracle

import (
	"math/rand/v2"
)

// A generator makes the ballots of a plan.
type generator struct {
	*rand.Rand
	plan    *Plan
	ballots []ballot
}

func newGenerator(p *Plan) *generator {
	g := &generator{Rand: p.rand(), plan: p}
	others := g.Perm(p.Authorities)
	voters := []int{p.Self}
	for _, a := range others {
		if a != p.Self && len(voters) < p.Voters {
			voters = append(voters, a)
		}
	}
	g.Shuffle(len(voters), func(i, j int) { voters[i], voters[j] = voters[j], voters[i] })
	for _, a := range voters {
		g.ballots = append(g.ballots, ballot{authority: a})
	}
	return g
}

// chance is true with that probability, from 0 to 1.
func (g *generator) chance(p float64) bool { return g.Float64() < p }

func (g *generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// among picks one.
func among[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

// opinions are what each voter thinks of one thing: all the same, or with the given chance one of two or three values,
// which are as likely or of which the first is likelier.
func opinions[T any](g *generator, dispute float64, value func() T) []T {
	values := []T{value()}
	if g.chance(dispute) {
		for range 1 + g.IntN(2) {
			values = append(values, value())
		}
	}
	bias := among(g, []float64{0, .4, .7})
	all := make([]T, len(g.ballots))
	for i := range all {
		all[i] = values[0]
		if !g.chance(bias) {
			all[i] = among(g, values)
		}
	}
	return all
}

// some picks k of n, as a set.
func (g *generator) some(k, n int) []bool {
	set := make([]bool, n)
	for _, i := range g.Perm(n)[:min(max(k, 0), n)] {
		set[i] = true
	}
	return set
}
