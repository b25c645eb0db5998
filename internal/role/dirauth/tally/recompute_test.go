package tally

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// Consensuses of C tor have the weights that their relays demand.
func TestWeightsOfConsensus(t *testing.T) {
	wire := filepath.Join("..", "..", "..", "wire", "consensus", "testdata")
	for _, name := range []string{filepath.Join(wire, "ns.txt"), filepath.Join(wire, "microdesc.txt"), filepath.Join("testdata", "weights-testnet.txt")} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := consensus.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Weights(c)
		if err != nil || !slices.Equal(got, c.Weights) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.Weights)
		}
	}
	if got, err := Weights(&consensus.Consensus{Relays: []consensus.RouterStatus{{HasBandwidth: true, Bandwidth: 1000}}}); err == nil {
		t.Errorf("one middle: got %v", got)
	}
}
