package stats

import (
	"strconv"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// A flow is what a history is about. The order is that of C tor's documents.
type flow uint8

const (
	written flow = iota
	read
	written6
	read6
	dirWritten
	dirRead
	flows
)

// flowNames are what documents and the state file call them.
var flowNames = [flows]struct{ keyword, key string }{
	{"write-history", "Write"}, {"read-history", "Read"}, {"ipv6-write-history", "IPv6Write"}, {"ipv6-read-history", "IPv6Read"},
	{"dirreq-write-history", "DirWrite"}, {"dirreq-read-history", "DirRead"},
}

type bandwidth struct {
	mu        sync.Mutex // a leaf; guards histories
	histories [flows]history
}

func (b *bandwidth) init(now int64) {
	for i := range b.histories {
		b.histories[i] = newHistory(now)
	}
}

func (b *bandwidth) add(n uint64, now time.Time, to ...flow) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range to {
		b.histories[f].add(now.Unix(), n)
	}
}

// AddRead counts bytes that came from the network, of links, exit streams and what else has sockets. Bytes to and from
// internal addresses do not count, unless CountPrivateBandwidth says so. The daemon calls it about every second: what is
// told late makes a burst of the seconds before.
func (s *Stats) AddRead(n uint64, ipv6 bool, now time.Time) {
	if ipv6 {
		s.bandwidth.add(n, now, read, read6)
	} else {
		s.bandwidth.add(n, now, read)
	}
}

// AddWritten counts bytes that went to the network.
func (s *Stats) AddWritten(n uint64, ipv6 bool, now time.Time) {
	if ipv6 {
		s.bandwidth.add(n, now, written, written6)
	} else {
		s.bandwidth.add(n, now, written)
	}
}

// AddDir counts bytes of directory requests and of their answers, on links or not.
func (s *Stats) AddDir(nRead, nWritten uint64, now time.Time) {
	s.bandwidth.add(nRead, now, dirRead)
	s.bandwidth.add(nWritten, now, dirWritten)
}

// Observed returns the bandwidth that the relay has shown to have both ways, for its descriptor: the most that was
// sustained for ten seconds in the last days, in bytes per second. A relay that hibernates says 0 instead.
func (s *Stats) Observed(now time.Time) uint64 {
	minTime := s.cfg.Load().MinTime
	if minTime == 0 {
		minTime = day
	}
	b := &s.bandwidth
	b.mu.Lock()
	defer b.mu.Unlock()
	most := func(f flow) uint64 {
		h := &b.histories[f]
		h.advance(now.Unix())
		return h.observed(int64(minTime / time.Second))
	}
	return min(most(read), most(written)) / window
}

// lines returns the items of histories that have an interval which is over. No more than rate bytes per second is told
// of, if rate is not 0.
func (b *bandwidth) lines(now int64, rate uint64) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := netdoc.NewEncoder(nil)
	for f := range flows {
		h := &b.histories[f]
		h.advance(now)
		if len(h.past) == 0 {
			continue
		}
		var list []byte
		for i, p := range h.past {
			if i > 0 {
				list = append(list, ',')
			}
			n := kilobytes(p.total)
			if rate > 0 && n/interval >= rate {
				n = rate * interval
			}
			list = strconv.AppendUint(list, n, 10)
		}
		ended := time.Unix(h.end-interval, 0)
		e.Item(flowNames[f].keyword).Time(ended).Rest("(" + strconv.Itoa(interval) + " s)").Rest(string(list))
	}
	return mustBytes(e)
}

// kilobytes rounds down to whole ones, in bytes.
func kilobytes(n uint64) uint64 { return n &^ 1023 }
