package dirauth

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// Served counts how often the descriptor of each bridge is given out by its fingerprint. Its methods are safe for concurrent use.
type Served struct {
	mu    sync.Mutex // a leaf
	start time.Time
	count map[[20]byte]int
}

// NewServed begins to count.
func NewServed(now time.Time) *Served { return &Served{start: now, count: map[[20]byte]int{}} }

// Note counts a descriptor of a bridge.
func (s *Served) Note(rsa [20]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[rsa]++
}

// Line is what was counted, for C tor's file stats/served-desc-stats, which is appended to once a day. The next day begins.
//
//	served-descs-stats-end 2026-11-27 00:22:11 (86400 s) total=12 unique=3 max=6 q3=4 md=4 q1=2 min=2
//
// C tor: rep_hist_format_desc_stats.
func (s *Served) Line(now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var total int
	list := slices.Sorted(maps.Values(s.count))
	for _, n := range list {
		total += n
	}
	n := len(list)
	at := func(i int) int { // the i-th of them; 0 if there is none
		if n == 0 {
			return 0
		}
		return list[i]
	}
	line := fmt.Appendf(nil, "served-descs-stats-end %s (%d s) total=%d unique=%d max=%d q3=%d md=%d q1=%d min=%d\n", now.UTC().Format(netdoc.TimeLayout),
		int64(now.Sub(s.start)/time.Second), total, n, at(n-1), at((3*n-1)/4), at((n-1)/2), at((n-1)/4), at(0))
	s.start, s.count = now, map[[20]byte]int{}
	return line
}
