package equix

import "github.com/tropea-net/tropea/internal/crypt/hashx"

// Sizes of the solver's tables. They are C tor's: with others, some of the solutions found would be others.
const (
	indices    = 1 << 16
	numCoarse  = 256
	coarseSize = 336
	numFine    = 128
	fineSize   = 12

	// MaxSolutions is the most solutions of a challenge that the solver finds.
	MaxSolutions = 8

	// batch is how many hashes are computed in one go: nothing else runs on the processor meanwhile.
	batch = 256
)

// A table holds the sums of a stage by their lowest 8 bits, which are not stored.
type table struct {
	count [numCoarse]uint16
	item  [numCoarse][coarseSize]uint64
}

// An item of the second and third stage is a sum, and says in its lowest bits what the sum is of: an item of a bucket in the stage
// before, and one of the opposite bucket.
//
//	sum 37 | left 9 | right 9 | bucket 8
//
// The sum needs no more bits than that: those above do not count. An item of the first stage is a sum alone.
const (
	leftShift  = 17
	rightShift = 8
	sumShift   = 26
	itemMask   = 1<<9 - 1
)

// A Solver finds solutions. It is some 2 MiB large, and may be used again, but by one goroutine at a time.
type Solver struct {
	hash  *hashx.Func
	index [numCoarse][coarseSize]uint16 // of the items of the first stage
	stage [3]table
	fine  fineTable
	found []Solution
}

// fineTable holds the items of one bucket by 7 bits more.
type fineTable struct {
	count [numFine]uint8
	item  [numFine][fineSize]uint16
}

// NewSolver makes a solver. With memory for it, programs are compiled where this is possible; mem may be nil.
func NewSolver(mem hashx.Memory) *Solver { return &Solver{hash: hashx.NewFunc(mem)} }

// Compiles reports whether the solver's programs are compiled.
func (s *Solver) Compiles() bool { return s.hash.Compiles() }

// Solve finds solutions of a challenge, often two. The result is good until the next call. The only error is hashx.ErrSeed.
func (s *Solver) Solve(challenge []byte) ([]Solution, error) {
	if err := s.hash.Reset(challenge); err != nil {
		return nil, err
	}
	s.hashAll()
	s.pairAll(0)
	s.pairAll(1)
	s.found = s.found[:0]
	s.last()
	return s.found, nil
}

func (s *Solver) hashAll() {
	t := &s.stage[0]
	clear(t.count[:])
	var values [batch]uint64
	for first := uint32(0); first < indices; first += batch {
		s.hash.Range(uint64(first), values[:])
		for i, v := range values {
			bucket := v % numCoarse
			if n := t.count[bucket]; n < coarseSize {
				t.count[bucket] = n + 1
				t.item[bucket][n] = v / numCoarse
				s.index[bucket][n] = uint16(first + uint32(i))
			}
		}
	}
}

// pairAll finds pairs of sums that add up to zero in 15 bits: the bucket has 8, and the finer one 7.
func (s *Solver) pairAll(stage int) {
	in, out := &s.stage[stage], &s.stage[stage+1]
	shift := uint(sumShift)
	if stage == 0 {
		shift = 0
	}
	clear(out.count[:])
	for bucket := range uint32(numCoarse/2 + 1) {
		opposite := -bucket % numCoarse
		s.fine.count = [numFine]uint8{}
		others := &in.item[opposite]
		if opposite != bucket {
			for i, item := range others[:min(in.count[opposite], coarseSize)] {
				s.fine.add(item>>shift, i)
			}
			for i, item := range in.item[bucket][:min(in.count[bucket], coarseSize)] {
				s.pair(item>>shift+1, uint64(i), bucket, others, shift, out)
			}
			continue
		}
		// The bucket is its own opposite: each item meets those before it, and itself.
		for i, item := range others[:min(in.count[opposite], coarseSize)] {
			if s.fine.add(item>>shift, i) {
				s.pair(item>>shift+carry(bucket), uint64(i), bucket, others, shift, out)
			}
		}
	}
}

// carry is what the bits that are not stored add up to: they are zero, or opposite.
func carry(bucket uint32) uint64 { return uint64(min(bucket, 1)) }

// add puts an item of a bucket where it belongs, if there is room.
func (f *fineTable) add(sum uint64, i int) bool {
	at := sum % numFine
	n := f.count[at]
	if n >= fineSize {
		return false
	}
	f.count[at] = n + 1
	f.item[at][n] = uint16(i)
	return true
}

// partners are the items with which a sum is zero in the lowest 7 bits.
func (f *fineTable) partners(sum uint64) []uint16 {
	at := -sum % numFine
	return f.item[at][:min(f.count[at], fineSize)]
}

// pair finds the partners of one item, and puts the sums into the next table as long as there is room.
func (s *Solver) pair(sum, left uint64, bucket uint32, others *[coarseSize]uint64, shift uint, out *table) {
	from := left<<leftShift | uint64(bucket)
	for _, right := range s.fine.partners(sum) {
		total := (sum + others[right]>>shift) / numFine
		to := total % numCoarse
		if n := out.count[to]; n < coarseSize {
			out.count[to] = n + 1
			out.item[to][n] = total/numCoarse<<sumShift | uint64(right)<<rightShift | from
		}
	}
}

// last finds pairs of sums of four hashes that add up to zero in all bits that are left.
func (s *Solver) last() {
	t := &s.stage[2]
	for bucket := range uint32(numCoarse/2 + 1) {
		opposite := -bucket % numCoarse
		s.fine.count = [numFine]uint8{}
		for i, item := range t.item[opposite][:min(t.count[opposite], coarseSize)] {
			if s.fine.add(item>>sumShift, i) && opposite == bucket && !s.lastPair(item, bucket) {
				return
			}
		}
		if opposite == bucket {
			continue
		}
		for _, item := range t.item[bucket][:min(t.count[bucket], coarseSize)] {
			if !s.lastPair(item, bucket) {
				return
			}
		}
	}
}

// lastPair reports false if there are enough solutions.
func (s *Solver) lastPair(item uint64, bucket uint32) bool {
	others := &s.stage[2].item[-bucket%numCoarse]
	sum := item>>sumShift + carry(bucket)
	for _, right := range s.fine.partners(sum) {
		other := others[right]
		if (sum+other>>sumShift)/numFine&mask1 != 0 {
			continue
		}
		var sol Solution
		s.trace2(sol[0:4], item)
		s.trace2(sol[4:8], other)
		sol.order()
		if s.found = append(s.found, sol); len(s.found) == MaxSolutions {
			return false
		}
	}
	return true
}

// split tells what an item is the sum of.
func split(item uint64) (bucket, left, opposite, right uint64) {
	bucket = item % numCoarse
	return bucket, item >> leftShift & itemMask, -bucket % numCoarse, item >> rightShift & itemMask
}

// trace2 finds the four indices behind an item of the third stage.
func (s *Solver) trace2(dst []uint16, item uint64) {
	b, l, o, r := split(item)
	s.trace1(dst[0:2], s.stage[1].item[b][l])
	s.trace1(dst[2:4], s.stage[1].item[o][r])
}

// trace1 finds the two indices behind an item of the second stage.
func (s *Solver) trace1(dst []uint16, item uint64) {
	b, l, o, r := split(item)
	dst[0], dst[1] = s.index[b][l], s.index[o][r]
}
