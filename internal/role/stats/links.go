package stats

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// links counts how links are used, every ten seconds.
type links struct {
	on        atomic.Bool
	all, ipv6 linkUses
}

// linkUses are numbers of links that carried next to nothing, mostly what we read, mostly what we wrote, and both.
type linkUses [4]atomic.Uint64

// A link counts as used from linkBytes on, and as used one way if that has linkFactor times the bytes of the other.
const (
	linkBytes  = 20480
	linkFactor = 10
)

// LinkInterval is the time over which links are counted.
const LinkInterval = 10 * time.Second

// LinkBytes counts what a link has carried in a LinkInterval. The daemon calls it for each link at the end of the interval,
// and for one that closes with what it has carried since.
func (s *Stats) LinkBytes(read, written uint64, ipv6 bool) {
	l := &s.links
	if read|written == 0 || !l.on.Load() {
		return
	}
	use := 3
	switch {
	case read+written < linkBytes:
		use = 0
	case read >= times(written, linkFactor):
		use = 1
	case written >= times(read, linkFactor):
		use = 2
	}
	l.all[use].Add(1)
	if ipv6 {
		l.ipv6[use].Add(1)
	}
}

func (l *links) reset(start time.Time) {
	l.on.Store(!start.IsZero())
	l.all.take()
	l.ipv6.take()
}

func (l *links) take(e *netdoc.Encoder, start, end time.Time) {
	item(e, "conn-bi-direct", start, end).Rest(l.all.take())
	item(e, "ipv6-conn-bi-direct", start, end).Rest(l.ipv6.take())
}

func (u *linkUses) take() string {
	return fmt.Sprintf("%d,%d,%d,%d", u[0].Swap(0), u[1].Swap(0), u[2].Swap(0), u[3].Swap(0))
}
