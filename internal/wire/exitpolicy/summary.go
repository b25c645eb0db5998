package exitpolicy

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Summary is a list of ports that an exit accepts, or rejects: "accept 80,443". It is immutable, small and comparable;
// equal policies are equal values. The zero Summary rejects everything, which is what a missing line means.
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html
type Summary struct {
	// packed is empty if all is rejected, else 'a' or 'r' and four bytes for each range: low and high, big-endian.
	// Ranges are sorted and neither overlap nor touch.
	packed string
}

// Bounds of a summary. A list of more ranges than this is refused, as by C tor.
const (
	maxRanges     = 1000
	maxSummaryLen = 12 * maxRanges
)

// ParseSummary parses "accept" or "reject", a space, and comma-separated ports and port ranges. Entries that do not
// begin with a digit are skipped, since a later version may use them; but at least one must remain.
func ParseSummary(s string) (Summary, error) {
	if len(s) > maxSummaryLen {
		return Summary{}, fmt.Errorf("policy summary: %w", ErrTooLong)
	}
	list, accept := strings.CutPrefix(s, "accept ")
	if !accept {
		var ok bool
		if list, ok = strings.CutPrefix(s, "reject "); !ok {
			return Summary{}, fmt.Errorf("policy summary: %w", ErrSyntax)
		}
	}
	ranges := make([]PortRange, 0, min(strings.Count(list, ",")+1, maxRanges))
	for item := range strings.SplitSeq(list, ",") {
		if item == "" || item[0] < '0' || item[0] > '9' {
			continue
		}
		r, err := ParsePortRange(item)
		if err != nil {
			return Summary{}, fmt.Errorf("policy summary: %w", err)
		}
		if len(ranges) == maxRanges {
			return Summary{}, fmt.Errorf("policy summary: %w", ErrTooLong)
		}
		ranges = append(ranges, r)
	}
	if len(ranges) == 0 {
		return Summary{}, fmt.Errorf("policy summary without a port: %w", ErrSyntax)
	}
	return NewSummary(accept, ranges), nil
}

// NewSummary makes a summary that accepts, or rejects, the given ranges. It borrows ranges and sorts them.
func NewSummary(accept bool, ranges []PortRange) Summary {
	ranges = normalize(ranges)
	switch everything := len(ranges) == 1 && ranges[0] == AllPorts; {
	case everything && !accept, len(ranges) == 0 && accept:
		return Summary{}
	case len(ranges) == 0:
		accept, ranges = true, []PortRange{AllPorts}
	}
	b := make([]byte, 1, 1+4*len(ranges))
	b[0] = 'r'
	if accept {
		b[0] = 'a'
	}
	for _, r := range ranges {
		b = binary.BigEndian.AppendUint16(b, r.Low)
		b = binary.BigEndian.AppendUint16(b, r.High)
	}
	return Summary{string(b)}
}

// normalize sorts ranges in place and joins those that overlap or touch.
func normalize(ranges []PortRange) []PortRange {
	slices.SortFunc(ranges, func(a, b PortRange) int { return cmp.Compare(a.Low, b.Low) })
	joined := ranges[:0]
	for _, r := range ranges {
		if n := len(joined); n > 0 && int(r.Low) <= int(joined[n-1].High)+1 {
			joined[n-1].High = max(joined[n-1].High, r.High)
		} else {
			joined = append(joined, r)
		}
	}
	return joined
}

// Allows reports whether an exit with this summary probably accepts port. It never says so of port 0.
func (s Summary) Allows(port uint16) bool {
	if s.packed == "" || port == 0 {
		return false
	}
	lo, hi := 0, (len(s.packed)-1)/4 // ranges that may begin above port
	for lo < hi {
		if mid := (lo + hi) / 2; s.at(mid).Low <= port {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	listed := lo > 0 && port <= s.at(lo-1).High
	return listed == (s.packed[0] == 'a')
}

func (s Summary) at(i int) PortRange {
	b := s.packed[1+4*i : 5+4*i]
	return PortRange{uint16(b[0])<<8 | uint16(b[1]), uint16(b[2])<<8 | uint16(b[3])}
}

// RejectsAll reports whether no port is accepted.
func (s Summary) RejectsAll() bool { return s.packed == "" }

// Ranges yields the ports that are accepted, in ascending order.
func (s Summary) Ranges() iter.Seq[PortRange] {
	return func(yield func(PortRange) bool) {
		if s.packed == "" {
			return
		}
		next := 1 // first port not yet told of, in a list of rejected ports
		for i := range (len(s.packed) - 1) / 4 {
			r := s.at(i)
			if s.packed[0] == 'r' {
				gap := PortRange{uint16(next), r.Low - 1}
				next = int(r.High) + 1
				r = gap
			}
			if r.Low <= r.High && !yield(r) {
				return
			}
		}
		if s.packed[0] == 'r' && next <= 65535 {
			yield(PortRange{uint16(next), 65535})
		}
	}
}

// AppendTo appends the text form to dst: "accept 80,443", or "reject 1-65535" for the zero Summary.
func (s Summary) AppendTo(dst []byte) []byte {
	if s.packed == "" {
		return AllPorts.AppendTo(append(dst, "reject "...))
	}
	if s.packed[0] == 'a' {
		dst = append(dst, "accept "...)
	} else {
		dst = append(dst, "reject "...)
	}
	for i := range (len(s.packed) - 1) / 4 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = s.at(i).AppendTo(dst)
	}
	return dst
}

func (s Summary) String() string { return string(s.AppendTo(nil)) }
