package protover

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// An entry is one word of a list.
type entry struct {
	name     string
	versions Mask
}

// Parse reads a list such as "Cons=1-2 Link=4,5". Words are separated by spaces; of a name that comes twice the first
// counts, as in C tor (find_entry_by_name). Names without versions are dropped.
func Parse(text []byte) (s Set, err error) {
	if len(text) > MaxTextLen {
		return Set{}, ErrTooLong
	}
	var seen Mask // of known protocols, by number
	var rest []entry
	for len(text) > 0 {
		n := bytes.IndexByte(text, ' ')
		if n < 0 {
			n = len(text)
		}
		name, versions, err := parseWord(text[:n])
		if err != nil {
			return Set{}, err
		}
		if p, ok := known(name); !ok {
			rest = append(rest, entry{string(name), versions})
		} else if seen>>p&1 == 0 {
			seen |= 1 << p
			s.known[p] = versions
		}
		text = bytes.TrimLeft(text[n:], " ")
	}
	s.other = joinEntries(normalize(rest))
	return s, nil
}

// MustParse is Parse for constants; it panics on a malformed list.
func MustParse(text string) Set {
	s, err := Parse([]byte(text))
	if err != nil {
		panic("protover: " + text)
	}
	return s
}

// normalize sorts entries by name and drops those without versions and all but the first of a name.
func normalize(list []entry) []entry {
	slices.SortStableFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	list = slices.CompactFunc(list, func(a, b entry) bool { return a.name == b.name })
	return slices.DeleteFunc(list, func(e entry) bool { return e.versions == 0 })
}

// parseWord reads one name=versions.
func parseWord(word []byte) (name []byte, versions Mask, err error) {
	name, list, ok := bytes.Cut(word, []byte("="))
	if !ok || len(name) == 0 || len(name) > MaxNameLen || !isName(name) {
		return nil, 0, fmt.Errorf("name in %.32q: %w", word, ErrSyntax)
	}
	for more := len(list) > 0; more; {
		var part []byte
		part, list, more = bytes.Cut(list, []byte(","))
		low, high, isRange := bytes.Cut(part, []byte("-"))
		from, ok := parseVersion(low)
		to := from
		if isRange && ok {
			to, ok = parseVersion(high)
		}
		if !ok || from > to {
			return nil, 0, fmt.Errorf("versions in %.32q: %w", word, ErrSyntax)
		}
		versions |= maskOf(from, to)
	}
	return name, versions, nil
}

func isName(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return true
}

func parseVersion(digits []byte) (v uint, ok bool) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		if v = 10*v + uint(c-'0'); v > MaxVersion {
			return 0, false
		}
	}
	return v, len(digits) > 0
}

// String is the canonical list: names in byte order, ranges as long as can be.
func (s *Set) String() string { return joinEntries(s.entries()) }

// entries lists known and other protocols, sorted by name.
func (s *Set) entries() []entry {
	list := others(s.other)
	for p, versions := range s.known {
		if versions != 0 {
			list = append(list, entry{names[p], versions})
		}
	}
	return normalize(list)
}

// others splits the canonical text of the other field.
func others(text string) (list []entry) {
	for word := range strings.FieldsSeq(text) {
		name, versions, err := parseWord([]byte(word))
		if err != nil {
			panic("protover: " + text) // written by joinEntries
		}
		list = append(list, entry{string(name), versions})
	}
	return list
}

func joinEntries(list []entry) string {
	var out []byte
	for i, e := range list {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(append(out, e.name...), '=')
		for m := uint64(e.versions); m != 0; {
			low := bits.TrailingZeros64(m)
			n := bits.TrailingZeros64(^(m >> low)) // 64 shifts all away, which is right
			out = strconv.AppendInt(out, int64(low), 10)
			if n > 1 {
				out = strconv.AppendInt(append(out, '-'), int64(low+n-1), 10)
			}
			if m = m >> low >> n << n << low; m != 0 {
				out = append(out, ',')
			}
		}
	}
	return string(out)
}

// find returns the versions of a name in a sorted list.
func find(list []entry, name string) Mask {
	i, ok := slices.BinarySearchFunc(list, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return 0
	}
	return list[i].versions
}
