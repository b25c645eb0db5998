package geoip

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// An address is of either family.
type address[A any] interface {
	comparable
	compare(A) int
	next() A // one more; 0 behind the last address
}

type addr4 uint32

func (a addr4) compare(b addr4) int { return cmp.Compare(a, b) }
func (a addr4) next() addr4         { return a + 1 }

type addr6 struct{ high, low uint64 }

func toAddr6(a netip.Addr) addr6 {
	b := a.As16()
	return addr6{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a addr6) compare(b addr6) int {
	if a.high != b.high {
		return cmp.Compare(a.high, b.high)
	}
	return cmp.Compare(a.low, b.low)
}

func (a addr6) next() addr6 {
	a.low++
	if a.low == 0 {
		a.high++
	}
	return a
}

// A table maps the whole of a family: from[i] and what follows, until from[i+1], is in countries[i]. Below from[0] is nothing.
type table[A address[A]] struct {
	from      []A
	countries []country
}

func (t *table[A]) find(a A) country {
	i, found := slices.BinarySearchFunc(t.from, a, A.compare)
	switch {
	case found:
		return t.countries[i]
	case i > 0:
		return t.countries[i-1]
	}
	return 0
}

// entry is a range of addresses, both ends included.
type entry[A address[A]] struct {
	first, last A
	country     country
}

// newTable sorts ranges into a table. If ranges overlap, the one that begins later counts from there on.
func newTable[A address[A]](entries []entry[A]) (t table[A]) {
	byFirst := func(a, b entry[A]) int { return a.first.compare(b.first) }
	if !slices.IsSortedFunc(entries, byFirst) {
		slices.SortStableFunc(entries, byFirst)
	}
	for i, e := range entries {
		t.add(e.first, e.country)
		after := e.last.next()
		if after.compare(e.first) > 0 && (i+1 == len(entries) || after.compare(entries[i+1].first) < 0) {
			t.add(after, 0)
		}
	}
	t.from, t.countries = slices.Clip(t.from), slices.Clip(t.countries)
	return t
}

// add makes the addresses from a on those of a country. No later address may be in the table.
func (t *table[A]) add(a A, c country) {
	if n := len(t.from); n > 0 && t.from[n-1] == a {
		t.from, t.countries = t.from[:n-1], t.countries[:n-1]
	}
	if n := len(t.from); n > 0 && t.countries[n-1] == c {
		return // adjacent ranges of one country are one
	}
	t.from, t.countries = append(t.from, a), append(t.countries, c)
}
