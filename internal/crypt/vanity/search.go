package vanity

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// A Search tries keys. It is for one goroutine.
type Search struct {
	table   *Table
	matcher *Matcher
	random  io.Reader

	first  [32]byte // the scalar in the middle of the first batch; secret
	strode uint64   // batches since
	middle *edwards25519.Point
	x, y   field.Element // of middle, affine
	work   []work
}

// work is what a batch keeps for each pair of neighbours. With E = x·y' and F = y·x', where x' and y' are of the neighbour:
type work struct {
	plus, minus field.Element // E+F and E-F
	product     field.Element // of both
	before      field.Element // the product of all products before
}

// New makes a search, which begins at a key out of random. Results take randomness from there, too.
func New(table *Table, matcher *Matcher, random io.Reader) (*Search, error) {
	s := &Search{table: table, matcher: matcher, random: random, work: make([]work, len(table.points))}
	return s, s.begin()
}

// begin goes elsewhere.
func (s *Search) begin() error {
	if _, err := io.ReadFull(s.random, s.first[:]); err != nil {
		return fmt.Errorf("random key: %w", err)
	}
	s.first[0] &= 248
	s.first[31] = s.first[31]&63 | 64
	scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(s.first[:])
	if err != nil {
		panic("vanity: " + err.Error()) // only a wrong length is an error
	}
	s.strode = 0
	s.middle = new(edwards25519.Point).ScalarBaseMult(scalar)
	X, Y, Z, _ := s.middle.ExtendedCoordinates()
	Z.Invert(Z)
	s.x.Multiply(X, Z)
	s.y.Multiply(Y, Z)
	return nil
}

// Step tries a batch of keys and returns how many. key is nil if none of them fits. After a key was found the search begins
// elsewhere: keys from one search do not tell of each other.
func (s *Search) Step() (tries int, key *keyfile.EdSecret, err error) {
	at, found := s.batch()
	if found {
		if key, err = s.key(at); err == nil {
			err = s.begin()
		}
	} else {
		s.strode++
	}
	return s.table.Batch(), key, err
}

// batch looks at all neighbours of the middle, and goes on to the next middle. at is where the found key is, in multiples of
// the cofactor from the old middle.
//
// The sum of (x, y) and (x', y') has the y coordinate (xy - x'y') / (xy' - yx'), and the difference (xy + x'y') / (xy' + yx'). See
// https://eprint.iacr.org/2008/522, section 2: formulas without the constant of the curve. They fail if the two points are
// equal or differ by one of order 2, which does not happen by chance; a result is checked anyway.
func (s *Search) batch() (at int64, found bool) {
	var e, f, xy, inverse, t, y field.Element
	next := new(edwards25519.Point).Add(s.middle, s.table.stride)
	X, Y, Z, _ := next.ExtendedCoordinates()
	product := *Z
	for i := range s.work {
		n, w := &s.table.points[i], &s.work[i]
		e.Multiply(&s.x, &n.y)
		f.Multiply(&s.y, &n.x)
		w.plus.Add(&e, &f)
		w.minus.Subtract(&e, &f)
		w.product.Multiply(&w.plus, &w.minus)
		w.before = product
		product.Multiply(&product, &w.product)
	}
	inverse.Invert(&product)
	xy.Multiply(&s.x, &s.y)
	if s.matcher.Match(s.y.Bytes()) != "" {
		at, found = 0, true
	}
	for i := len(s.work) - 1; i >= 0; i-- {
		n, w := &s.table.points[i], &s.work[i]
		t.Multiply(&inverse, &w.before)
		inverse.Multiply(&inverse, &w.product)

		y.Subtract(&xy, &n.xy)
		y.Multiply(&y, &w.plus)
		y.Multiply(&y, &t)
		if s.matcher.Match(y.Bytes()) != "" {
			at, found = int64(i+1), true
		}
		y.Add(&xy, &n.xy)
		y.Multiply(&y, &w.minus)
		y.Multiply(&y, &t)
		if s.matcher.Match(y.Bytes()) != "" {
			at, found = -int64(i+1), true
		}
	}
	s.middle = next
	s.x.Multiply(X, &inverse) // what is left is the inverse of Z
	s.y.Multiply(Y, &inverse)
	return at, found
}

// key makes the key that batch found. It is nil if it is not what it should be.
func (s *Search) key(at int64) (*keyfile.EdSecret, error) {
	var expanded [keyfile.EdSecretLen]byte
	defer clear(expanded[:])
	hi, lo := bits.Mul64(s.strode, uint64(s.table.Batch()))
	// In multiples of the cofactor; hi is 0 for as long as anyone waits.
	scalar, ok := addEights(s.first, hi, lo, at)
	defer clear(scalar[:])
	copy(expanded[:], scalar[:])
	if _, err := io.ReadFull(s.random, expanded[32:]); err != nil {
		return nil, fmt.Errorf("random prefix: %w", err)
	}
	key, err := keyfile.EdFromExpanded(&expanded)
	if err != nil {
		return nil, err
	}
	if id := key.ID(); !ok || s.matcher.Match(id[:]) == "" {
		key.Wipe()
		return nil, nil
	}
	return key, nil
}

// addEights returns scalar + 8·(hi·2⁶⁴ + lo + at), and whether that is still a clamped scalar.
func addEights(scalar [32]byte, hi, lo uint64, at int64) ([32]byte, bool) {
	lo, carry := bits.Add64(lo, uint64(at), 0)
	hi += uint64(at>>63) + carry // the sign of at, 64 times
	add := [4]uint64{lo << 3, hi<<3 | lo>>61, uint64(int64(hi) >> 61), uint64(int64(hi) >> 63)}
	carry = 0
	for i, a := range add {
		b := scalar[8*i : 8*i+8]
		var sum uint64
		sum, carry = bits.Add64(binary.LittleEndian.Uint64(b), a, carry)
		binary.LittleEndian.PutUint64(b, sum)
	}
	return scalar, scalar[31]>>6 == 1 && scalar[0]&7 == 0
}
