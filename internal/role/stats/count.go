package stats

import (
	"cmp"
	"hash/maphash"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// roundUp returns the next multiple of step, which hides smaller figures.
func roundUp(n, step uint64) uint64 {
	if r := n % step; r > 0 {
		n += min(step-r, math.MaxUint64-n)
	}
	return n
}

// clientStep is what numbers of clients and requests are rounded up to (IP_GRANULARITY in C tor).
const clientStep = 8

// A perCountry counts by country.
type perCountry map[string]uint64

// String returns the counts, rounded, the largest first. The order is that of what is told, not of what is behind it.
func (p perCountry) String() string {
	codes := slices.SortedFunc(maps.Keys(p), func(a, b string) int {
		return cmp.Or(cmp.Compare(roundUp(p[b], clientStep), roundUp(p[a], clientStep)), cmp.Compare(a, b))
	})
	for i, c := range codes {
		codes[i] = c + "=" + strconv.FormatUint(roundUp(p[c], clientStep), 10)
	}
	return strings.Join(codes, ",")
}

// maxDistinct bounds what is remembered to be counted once, at some 20 bytes each.
const maxDistinct = 1 << 20

// A distinct tells what it has not seen yet. It remembers hashes only.
type distinct struct {
	seed maphash.Seed
	seen map[uint64]struct{}
}

func newDistinct() distinct { return distinct{maphash.MakeSeed(), map[uint64]struct{}{}} }

// add reports whether b is new. When the set is full, nothing is.
func (d *distinct) add(b []byte) bool {
	h := maphash.Bytes(d.seed, b)
	if _, ok := d.seen[h]; ok || len(d.seen) >= maxDistinct {
		return false
	}
	d.seen[h] = struct{}{}
	return true
}

// addresses counts addresses by country.
type addresses struct {
	distinct
	perCountry
}

func newAddresses() addresses { return addresses{newDistinct(), perCountry{}} }

func (a *addresses) add(addr netip.Addr, country string) {
	b := addr.As16()
	if a.distinct.add(b[:]) {
		a.perCountry[country]++
	}
}

// maxSample bounds a sample.
const maxSample = 1 << 18

// A sample keeps values, all of them up to maxSample, and beyond that a fair choice.
type sample[T any] struct {
	n      uint64 // values that came
	values []T
}

func (s *sample[T]) add(v T) {
	s.n++
	if len(s.values) < maxSample {
		s.values = append(s.values, v)
	} else if i := rand.Uint64N(s.n); i < maxSample {
		s.values[i] = v
	}
}
