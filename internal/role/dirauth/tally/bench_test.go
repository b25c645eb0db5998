package tally_test

import (
	"testing"

	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/vote"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

// The size of the public network.
func BenchmarkCompute(b *testing.B) {
	votes := votetest.Make(9, 8000, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tally.Compute(votes, tally.Config{Authorities: 9, MinInterval: vote.MinInterval, AgreedSRV: agree(false)}); err != nil {
			b.Fatal(err)
		}
	}
}
