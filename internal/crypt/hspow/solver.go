package hspow

import (
	"github.com/tropea-net/tropea/internal/crypt/equix"
	"github.com/tropea-net/tropea/internal/crypt/hashx"
	"github.com/tropea-net/tropea/internal/wire/circext"
)

// A Solver makes proofs of work. It is some 2 MiB large and for one goroutine at a time.
type Solver struct {
	puzzle    *equix.Solver
	challenge challenge
	seedHead  [4]byte
	effort    uint32
}

// NewSolver makes a solver without anything to do. mem is for compiled programs, and may be nil.
func NewSolver(mem hashx.Memory) *Solver { return &Solver{puzzle: equix.NewSolver(mem)} }

// Start begins a proof for the service with a blinded key, which has published a seed. nonce is where the search begins: 16
// random bytes.
func (s *Solver) Start(blinded, seed [32]byte, effort uint32, nonce [16]byte) {
	s.challenge = newChallenge(blinded, seed, nonce, effort)
	s.seedHead, s.effort = [4]byte(seed[:]), effort
}

// Step tries n nonces at most, and reports whether a proof has been found. A nonce takes some milliseconds, or some tens of them
// where programs cannot be compiled; on average, about half as many as the effort are needed. Between steps the caller may give up.
func (s *Solver) Step(n int) (circext.ProofOfWork, bool) {
	for range n {
		found, err := s.puzzle.Solve(s.challenge[:])
		if err == nil { // a few challenges have no puzzle: to the next
			for i := range found {
				if b := found[i].Bytes(); s.challenge.worth(&b, s.effort) {
					return circext.ProofOfWork{
						Nonce: [16]byte(s.challenge[nonceAt:]), Effort: s.effort, SeedHead: s.seedHead, Solution: b,
					}, true
				}
			}
		}
		s.challenge.nextNonce()
	}
	return circext.ProofOfWork{}, false
}
