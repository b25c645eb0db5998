package relaycrypt

import (
	"math/rand/v2"
	"testing"
)

func benchmark(b *testing.B, f func(c *circuit, cell *body)) {
	rnd := rand.NewChaCha8([32]byte{6})
	c, cell := threeHops(b, rnd), plain(rnd)
	b.SetBytes(int64(len(cell)))
	b.ReportAllocs()
	for b.Loop() {
		f(c, cell)
	}
}

func BenchmarkSeal3(b *testing.B) {
	benchmark(b, func(c *circuit, cell *body) { c.out.Seal(cell, relayCmd, 2) })
}

// A cell can be opened once, so opening is measured with what the relays do before.
func BenchmarkOriginateAndOpen3(b *testing.B) {
	benchmark(b, func(c *circuit, cell *body) {
		c.backward(cell, 2)
		if _, _, ok := c.in.Open(cell, relayCmd); !ok {
			b.Fatal("not recognised")
		}
	})
}

func BenchmarkSealAndForward3(b *testing.B) {
	benchmark(b, func(c *circuit, cell *body) {
		c.out.Seal(cell, relayCmd, 2)
		if hop, _ := c.forward(cell); hop != 2 {
			b.Fatal("not recognised")
		}
	})
}

func BenchmarkRelayForward(b *testing.B) {
	benchmark(b, func(c *circuit, cell *body) { c.relays[0].Forward(cell, relayCmd) })
}

func BenchmarkRelayOriginate(b *testing.B) {
	benchmark(b, func(c *circuit, cell *body) { c.relays[0].Originate(cell, relayCmd) })
}
