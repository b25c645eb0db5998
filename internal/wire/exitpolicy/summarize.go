package exitpolicy

import (
	"math/bits"
	"slices"
)

// maxSummaryText bounds the text of a computed summary, keyword included.
const maxSummaryText = 1000

// Summarize computes the summary of the policy for IPv4, or for IPv6. Authorities must agree on it byte for byte.
//
// A port is accepted if a rule accepts it for every address, unless rules before reject it for too many: more than two
// /8 of IPv4, or one /16 of IPv6, private networks not counted.
// https://spec.torproject.org/dir-spec/computing-consensus.html
func (p Policy) Summarize(ipv6 bool) Summary {
	s := newSummarizer(p, ipv6)
	for _, r := range p {
		if r.is4() == ipv6 {
			continue
		}
		if !r.Accept {
			if !slices.Contains(privateNets, r.Prefix) {
				s.reject(r.Ports, countAddrs(r))
			}
		} else if r.everywhere() {
			s.accept(r.Ports)
		}
	}
	return s.shorter()
}

// countAddrs returns how many addresses a rule is about; in IPv6 how many /64, and 0 for less than one. The count is
// clamped to just above the limit: more makes no difference, and sums cannot overflow.
func countAddrs(r Rule) uint64 {
	unit, limit := 32, uint64(limit4)
	if !r.is4() {
		unit, limit = 64, limit6
	}
	free := unit - r.Prefix.Bits()
	if free < 0 {
		return 0
	}
	if free >= bits.Len64(limit) {
		return limit + 1
	}
	return 1 << free
}

// A port that rules reject for more addresses than this is not accepted by a later rule.
const (
	limit4 = 1 << 25 // two /8
	limit6 = 1 << 48 // one /16, counted in /64
)

// summarizer walks through a policy once. It cuts the ports into segments at the borders of all ranges, so that each
// rule is about a run of whole segments; a segment is decided by the first rule that accepts it.
type summarizer struct {
	limit    uint64
	start    []int    // first port of each segment; the last entry is 65536
	accepted []bool   // per segment
	next     []int    // per segment: itself, or for a decided one a way to the next undecided one
	rejected []uint64 // a Fenwick tree of differences: prefix sums are the rejected addresses of a segment
}

func newSummarizer(p Policy, ipv6 bool) *summarizer {
	s := &summarizer{limit: limit4, start: []int{1, 65536}}
	if ipv6 {
		s.limit = limit6
	}
	for _, r := range p {
		s.start = append(s.start, int(r.Ports.Low), int(r.Ports.High)+1)
	}
	slices.Sort(s.start)
	s.start = slices.Compact(s.start)
	n := len(s.start) - 1
	s.accepted = make([]bool, n)
	s.rejected = make([]uint64, n+2)
	s.next = make([]int, n+1)
	for i := range s.next {
		s.next[i] = i
	}
	return s
}

// segments returns the run of segments, from first up to before end, that make up ports.
func (s *summarizer) segments(ports PortRange) (first, end int) {
	first, _ = slices.BinarySearch(s.start, int(ports.Low))
	end, _ = slices.BinarySearch(s.start, int(ports.High)+1)
	return first, end
}

func (s *summarizer) reject(ports PortRange, count uint64) {
	first, end := s.segments(ports)
	s.add(first, count)
	s.add(end, -count) // wraps around; prefix sums wrap back
}

func (s *summarizer) accept(ports PortRange) {
	first, end := s.segments(ports)
	for i := s.undecided(first); i < end; i = s.undecided(i) {
		s.accepted[i] = s.sum(i) <= s.limit
		s.next[i] = i + 1 // counts only grow, so a later rule cannot accept what this one did not
	}
}

// undecided returns the first undecided segment from i on, and shortens the way there.
func (s *summarizer) undecided(i int) int {
	for s.next[i] != i {
		s.next[i] = s.next[s.next[i]]
		i = s.next[i]
	}
	return i
}

func (s *summarizer) add(i int, v uint64) {
	for i++; i < len(s.rejected); i += i & -i {
		s.rejected[i] += v
	}
}

func (s *summarizer) sum(i int) (v uint64) {
	for i++; i > 0; i -= i & -i {
		v += s.rejected[i]
	}
	return v
}

// shorter returns the accepted or the rejected ports, whichever are shorter as text. If both are too long, as many of
// the accepted ones as fit.
func (s *summarizer) shorter() Summary {
	var ranges [2][]PortRange // rejected, accepted
	for i, ok := range s.accepted {
		r := PortRange{uint16(s.start[i]), uint16(s.start[i+1] - 1)}
		if ok {
			ranges[1] = append(ranges[1], r)
		} else {
			ranges[0] = append(ranges[0], r)
		}
	}
	rejects, accepts := normalize(ranges[0]), normalize(ranges[1])
	if len(accepts) == 0 || len(rejects) == 0 {
		return NewSummary(true, accepts)
	}
	const room = maxSummaryText - len("accept ")
	rejectLen, acceptLen := textLen(rejects), textLen(accepts)
	if rejectLen < acceptLen && rejectLen <= room {
		return NewSummary(false, rejects)
	}
	if acceptLen > room && rejectLen > room {
		n := len(accepts)
		for acceptLen > room {
			n--
			acceptLen -= textLen(accepts[n:n+1]) + 1
		}
		accepts = accepts[:n]
	}
	return NewSummary(true, accepts)
}

// textLen returns the length of ranges as comma-separated text.
func textLen(ranges []PortRange) int {
	n := max(0, len(ranges)-1)
	var buf [16]byte
	for _, r := range ranges {
		n += len(r.AppendTo(buf[:0]))
	}
	return n
}
