// Package equix is Equi-X, the puzzle of the proof of work of onion services: find eight numbers whose hashes add up to zero,
// where the hash function, HashX, is another one for each challenge. It takes milliseconds and two megabytes to solve a puzzle,
// and microseconds to check a solution.
//
// https://spec.torproject.org/hspow-spec/v1-equix.html
package equix

import (
	"encoding/binary"
	"errors"

	"github.com/tropea-net/tropea/internal/crypt/hashx"
)

// What can be wrong with a solution. A challenge that gives no hash function is hashx.ErrSeed.
var (
	ErrOrder = errors.New("solution is not in order")
	ErrSum   = errors.New("hashes of the solution do not add up to zero")
)

// A Solution is eight indices, in one of the many orders that they could have.
type Solution [8]uint16

// Len is the length of a solution on the wire, in bytes.
const Len = 16

// Parse reads a solution off the wire.
func Parse(b *[Len]byte) (s Solution) {
	for i := range s {
		s[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return s
}

// Bytes is the solution as it is on the wire.
func (s *Solution) Bytes() (b [Len]byte) {
	for i, v := range s {
		binary.LittleEndian.PutUint16(b[2*i:], v)
	}
	return b
}

// Sums of hashes are zero in the lowest bits: of two in 15, of four in 30 and of all eight in 60.
const (
	mask1 = 1<<15 - 1
	mask2 = 1<<30 - 1
	mask3 = 1<<60 - 1
)

// Verify checks a solution. It borrows p, to work with.
func Verify(p *hashx.Program, challenge []byte, s *Solution) error {
	if !s.ordered() {
		return ErrOrder
	}
	if err := p.Reset(challenge); err != nil {
		return err
	}
	var in, h [8]uint64
	for i, v := range s {
		in[i] = uint64(v)
	}
	p.Hash8(&in, &h)
	a, b, c, d := h[0]+h[1], h[2]+h[3], h[4]+h[5], h[6]+h[7]
	if (a|b|c|d)&mask1 != 0 || ((a+b)|(c+d))&mask2 != 0 || (a+b+c+d)&mask3 != 0 {
		return ErrSum
	}
	return nil
}

// ordered reports whether the two halves of the solution, of its halves, and of theirs, are in order, by their last index first.
func (s *Solution) ordered() bool {
	return s.less1(0) && s.less1(2) && s.less1(4) && s.less1(6) && s.less2(0) && s.less2(4) && s.less4()
}

func (s *Solution) less1(i int) bool { return s[i] <= s[i+1] }

func (s *Solution) less2(i int) bool { return s.pair(i) <= s.pair(i+2) }

func (s *Solution) less4() bool {
	return uint64(s.pair(2))<<32|uint64(s.pair(0)) <= uint64(s.pair(6))<<32|uint64(s.pair(4))
}

func (s *Solution) pair(i int) uint32 { return uint32(s[i+1])<<16 | uint32(s[i]) }

// order puts a solution in order.
func (s *Solution) order() {
	for i := 0; i < 8; i += 2 {
		if !s.less1(i) {
			s.swap(i, 1)
		}
	}
	for i := 0; i < 8; i += 4 {
		if !s.less2(i) {
			s.swap(i, 2)
		}
	}
	if !s.less4() {
		s.swap(0, 4)
	}
}

// swap exchanges n indices from i on with those behind them.
func (s *Solution) swap(i, n int) {
	for j := i; j < i+n; j++ {
		s[j], s[j+n] = s[j+n], s[j]
	}
}
