package vanity

import (
	"crypto"
	"fmt"
	"math/rand/v2"
	"testing"

	"filippo.io/edwards25519"
)

type ed25519Options struct{}

func (ed25519Options) HashFunc() crypto.Hash { return 0 }

// BenchmarkSearch tells keys a second and core.
func BenchmarkSearch(b *testing.B) {
	for _, span := range []int{128, DefaultSpan, 2048} {
		b.Run(fmt.Sprint("span=", span), func(b *testing.B) {
			s := testSearch(b, span, 3, "zzzzzzzzzzzzzzzz")
			tries := 0
			for b.Loop() {
				n, _, err := s.Step()
				if err != nil {
					b.Fatal(err)
				}
				tries += n
			}
			b.ReportMetric(float64(tries)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// BenchmarkNaive is what the search is compared with: a random scalar, its point, the point's bytes.
func BenchmarkNaive(b *testing.B) {
	m, err := Compile("zzzzzzzzzzzzzzzz")
	if err != nil {
		b.Fatal(err)
	}
	random, p, tries := rand.NewChaCha8([32]byte{}), new(edwards25519.Point), 0
	for b.Loop() {
		var seed [32]byte
		random.Read(seed[:])
		s, err := new(edwards25519.Scalar).SetBytesWithClamping(seed[:])
		if err != nil || m.Match(p.ScalarBaseMult(s).Bytes()) != "" {
			b.Fatal(err)
		}
		tries++
	}
	b.ReportMetric(float64(tries)/b.Elapsed().Seconds(), "keys/s")
}
