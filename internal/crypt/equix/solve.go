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

// table holds the sums of a stage by their lowest bits, which are not stored.
type table struct {
	count [numCoarse]uint16
	sum   [numCoarse][coarseSize]uint64
	// from says which item of the bucket, and which of the opposite bucket in the stage before, gave the sum:
	// left<<17 | right<<8 | bucket. In the first stage, it is the index.
	from [numCoarse][coarseSize]uint32
}

// A Solver finds solutions. It is some 3 MiB large, and may be used again, but by one goroutine at a time.
type Solver struct {
	hash  *hashx.Func
	stage [3]table
	fine  struct {
		count [numFine]uint8
		item  [numFine][fineSize]uint16
	}
	values [batch]uint64
	found  []Solution
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
	s.pair(&s.stage[0], &s.stage[1])
	s.pair(&s.stage[1], &s.stage[2])
	s.found = s.found[:0]
	s.last()
	return s.found, nil
}

func (s *Solver) hashAll() {
	t := &s.stage[0]
	clear(t.count[:])
	for first := uint32(0); first < indices; first += batch {
		s.hash.Range(uint64(first), s.values[:])
		for i, v := range s.values {
			t.add(v, first+uint32(i))
		}
	}
}

// add puts a sum into its bucket, if there is room.
func (t *table) add(sum uint64, from uint32) {
	bucket := sum % numCoarse
	n := t.count[bucket]
	if n >= coarseSize {
		return
	}
	t.count[bucket] = n + 1
	t.sum[bucket][n] = sum / numCoarse
	t.from[bucket][n] = from
}

// carry is what the bits that are not stored add up to: they are zero, or opposite.
func carry(bucket uint32) uint64 { return uint64(min(bucket, 1)) }

// pair finds pairs of sums that add up to zero in 15 bits: the bucket has 8, and the finer one 7.
func (s *Solver) pair(in, out *table) {
	clear(out.count[:])
	for bucket := uint32(0); bucket <= numCoarse/2; bucket++ {
		opposite := -bucket % numCoarse
		s.fine.count = [numFine]uint8{}
		sums, others := &in.sum[bucket], &in.sum[opposite]
		for i, sum := range others[:min(in.count[opposite], coarseSize)] {
			if s.refine(sum, i) && opposite == bucket {
				s.pairOne(sum+carry(bucket), uint32(i), others, bucket, out)
			}
		}
		if opposite == bucket {
			continue
		}
		for i, sum := range sums[:min(in.count[bucket], coarseSize)] {
			s.pairOne(sum+1, uint32(i), others, bucket, out)
		}
	}
}

// refine puts an item of a bucket into a finer one, if there is room.
func (s *Solver) refine(sum uint64, item int) bool {
	f := sum % numFine
	n := s.fine.count[f]
	if n >= fineSize {
		return false
	}
	s.fine.count[f] = n + 1
	s.fine.item[f][n] = uint16(item)
	return true
}

// pairOne finds the partners of one sum among those of the opposite bucket.
func (s *Solver) pairOne(sum uint64, item uint32, others *[coarseSize]uint64, bucket uint32, out *table) {
	f := -sum % numFine
	for _, other := range s.fine.item[f][:min(s.fine.count[f], fineSize)] {
		out.add((sum+others[other])/numFine, item<<17|uint32(other)<<8|bucket)
	}
}

// last finds pairs of sums of four hashes that add up to zero in all bits that are left.
func (s *Solver) last() {
	t := &s.stage[2]
	for bucket := uint32(0); bucket <= numCoarse/2; bucket++ {
		opposite := -bucket % numCoarse
		s.fine.count = [numFine]uint8{}
		others := &t.sum[opposite]
		for i, sum := range others[:min(t.count[opposite], coarseSize)] {
			if s.refine(sum, i) && opposite == bucket && !s.lastOne(sum+carry(bucket), uint32(i), bucket) {
				return
			}
		}
		if opposite == bucket {
			continue
		}
		for i, sum := range t.sum[bucket][:min(t.count[bucket], coarseSize)] {
			if !s.lastOne(sum+1, uint32(i), bucket) {
				return
			}
		}
	}
}

// lastOne reports false if there are enough solutions.
func (s *Solver) lastOne(sum uint64, item, bucket uint32) bool {
	t := &s.stage[2]
	opposite := -bucket % numCoarse
	f := -sum % numFine
	for _, other := range s.fine.item[f][:min(s.fine.count[f], fineSize)] {
		if (sum+t.sum[opposite][other])/numFine&mask1 != 0 {
			continue
		}
		var sol Solution
		s.trace2(sol[0:4], t.from[bucket][item])
		s.trace2(sol[4:8], t.from[opposite][other])
		sol.order()
		if s.found = append(s.found, sol); len(s.found) == MaxSolutions {
			return false
		}
	}
	return true
}

// split takes the parts of table.from.
func split(from uint32) (bucket, left, opposite, right uint32) {
	bucket = from % numCoarse
	return bucket, from >> 17, -bucket % numCoarse, from >> 8 & 511
}

// trace2 finds the four indices behind a sum of the last stage.
func (s *Solver) trace2(dst []uint16, from uint32) {
	b, l, o, r := split(from)
	s.trace1(dst[0:2], s.stage[1].from[b][l])
	s.trace1(dst[2:4], s.stage[1].from[o][r])
}

func (s *Solver) trace1(dst []uint16, from uint32) {
	b, l, o, r := split(from)
	dst[0], dst[1] = uint16(s.stage[0].from[b][l]), uint16(s.stage[0].from[o][r])
}
