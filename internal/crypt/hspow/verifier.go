package hspow

import (
	"fmt"
	"io"
	"maps"

	"github.com/tropea-net/tropea/internal/crypt/equix"
	"github.com/tropea-net/tropea/internal/crypt/hashx"
	"github.com/tropea-net/tropea/internal/wire/circext"
)

// maxUsed is how many proofs a Verifier remembers: some 100 MB.
const maxUsed = 1 << 21

// used is a proof that was good once.
type used struct {
	nonce    [16]byte
	seedHead [4]byte
}

// A Verifier checks proofs of work for one blinded key of a service. It is for one goroutine at a time.
type Verifier struct {
	blinded [32]byte
	seeds   [][32]byte // the current one and, after a rotation, the one before
	used    map[used]struct{}
	program hashx.Program
}

// NewVerifier makes a verifier, with a seed.
func NewVerifier(rand io.Reader, blinded [32]byte) (*Verifier, error) {
	v := &Verifier{blinded: blinded, used: map[used]struct{}{}}
	return v, v.Rotate(rand)
}

// Seed is the seed to publish.
func (v *Verifier) Seed() [32]byte { return v.seeds[0] }

// Rotate makes a new seed. Proofs for the one before remain good until the next rotation.
func (v *Verifier) Rotate(rand io.Reader) error {
	var seed [32]byte
	for again := true; again; again = v.known(head(seed)) {
		if _, err := io.ReadFull(rand, seed[:]); err != nil {
			return fmt.Errorf("seed of the proof of work: %w", err)
		}
	}
	v.seeds = append([][32]byte{seed}, v.seeds[:min(len(v.seeds), 1)]...)
	maps.DeleteFunc(v.used, func(u used, _ struct{}) bool { return !v.known(u.seedHead) })
	return nil
}

func head(seed [32]byte) [4]byte { return [4]byte(seed[:]) }

// known reports whether a seed begins so. No two do.
func (v *Verifier) known(seedHead [4]byte) bool {
	for _, seed := range v.seeds {
		if head(seed) == seedHead {
			return true
		}
	}
	return false
}

// Check verifies a proof, which is good once. What is cheap to look at comes first. ErrFull is a good proof as well, but it
// could be used again: the service should rotate the seed.
func (v *Verifier) Check(p circext.ProofOfWork) error {
	if err := v.check(p); err != nil {
		return fmt.Errorf("proof of work: %w", err)
	}
	return nil
}

func (v *Verifier) check(p circext.ProofOfWork) error {
	u := used{p.Nonce, p.SeedHead}
	if _, replay := v.used[u]; replay {
		return ErrReplay
	}
	for _, seed := range v.seeds {
		if head(seed) != p.SeedHead {
			continue
		}
		c := newChallenge(v.blinded, seed, p.Nonce, p.Effort)
		if !c.worth(&p.Solution, p.Effort) {
			return ErrEffort
		}
		s := equix.Parse(&p.Solution)
		if err := equix.Verify(&v.program, c[:], &s); err != nil {
			return err
		}
		if len(v.used) >= maxUsed {
			return ErrFull
		}
		v.used[u] = struct{}{}
		return nil
	}
	return ErrSeed
}
