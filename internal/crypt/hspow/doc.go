// Package hspow is the proof of work (version 1) with which clients of a busy onion service get ahead of those that do none.
//
// A service publishes a seed; a client searches a nonce for which a puzzle of package equix has a solution whose hash is small
// enough for the effort that the client claims. A [Solver] does the one, a [Verifier] the other.
//
// https://spec.torproject.org/hspow-spec/v1-equix.html
package hspow

import (
	"encoding/binary"
	"errors"
	"math"

	"golang.org/x/crypto/blake2b"

	"github.com/tropea-net/tropea/internal/crypt/equix"
)

// What can be wrong with a proof, beside the errors of packages equix and hashx.
var (
	ErrSeed   = errors.New("proof of work for another seed")
	ErrReplay = errors.New("proof of work has been used before")
	ErrEffort = errors.New("proof of work is not worth the effort that it claims")
	ErrFull   = errors.New("too many proofs of work for these seeds")
)

const (
	personal = "Tor hs intro v1\x00"
	nonceAt  = len(personal) + 32 + 32

	challengeLen = nonceAt + nonceLen + 4
	nonceLen     = 16
)

// challenge is what the puzzle is made of.
type challenge [challengeLen]byte

func newChallenge(blinded, seed [32]byte, nonce [nonceLen]byte, effort uint32) (c challenge) {
	n := copy(c[:], personal)
	n += copy(c[n:], blinded[:])
	n += copy(c[n:], seed[:])
	n += copy(c[n:], nonce[:])
	binary.BigEndian.PutUint32(c[n:], effort)
	return c
}

// nextNonce goes to the following nonce: it is a number in little-endian order.
func (c *challenge) nextNonce() {
	for i := range nonceLen {
		if c[nonceAt+i]++; c[nonceAt+i] != 0 {
			return
		}
	}
}

// worth reports whether a solution is worth the effort: R * E must fit into 32 bits.
func (c *challenge) worth(solution *[equix.Len]byte, effort uint32) bool {
	h, err := blake2b.New(4, nil)
	if err != nil {
		panic("hspow: " + err.Error()) // only a wrong length is an error
	}
	h.Write(c[:])
	h.Write(solution[:])
	r := binary.BigEndian.Uint32(h.Sum(nil))
	return uint64(r)*uint64(effort) <= math.MaxUint32
}

// The efforts of a client, as in C tor (hs_client.c).
const (
	minRetryEffort = 8
	doubleBelow    = 1000

	// MaxEffort is the most effort that a client of ours makes, whatever a service suggests.
	MaxEffort = 10000
)

// FirstEffort is the effort of a client's first attempt. With 0, it sends no proof.
func FirstEffort(suggested uint32) uint32 { return min(suggested, MaxEffort) }

// NextEffort is the effort of an attempt, after one that was in vain.
func NextEffort(last uint32) uint32 {
	last = min(last, MaxEffort)
	if last < doubleBelow {
		last *= 2
	} else {
		last += last / 2
	}
	return max(minRetryEffort, min(last, MaxEffort))
}
