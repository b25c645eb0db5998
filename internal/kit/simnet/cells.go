package simnet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// cellsKept is how many cells are kept.
const cellsKept = 1000

// cells is what has gone over links, where Plain lets it be seen.
type cells struct {
	mu     sync.Mutex
	names  map[netip.Addr]string
	ring   []sentCell // of cellsKept at most; next is the oldest one then
	next   int
	counts map[cell.Command]int
}

type sentCell struct {
	at       time.Time
	from, to netip.AddrPort
	circ     cell.CircID
	cmd      cell.Command
}

func (c *cells) add(from, to netip.AddrPort, circ cell.CircID, cmd cell.Command) {
	x := sentCell{time.Now(), from, to, circ, cmd}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[cmd]++
	if len(c.ring) < cellsKept {
		c.ring = append(c.ring, x)
		return
	}
	c.ring[c.next] = x
	c.next = (c.next + 1) % cellsKept
}

// text is the last n cells, one a line.
func (c *cells) text(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := func(a netip.AddrPort) string {
		if s, ok := c.names[a.Addr()]; ok {
			return s
		}
		return a.String()
	}
	var b strings.Builder
	list := slices.Concat(c.ring[c.next:], c.ring[:c.next])
	for _, x := range list[max(len(list)-n, 0):] {
		fmt.Fprintf(&b, "%s %-8s → %-8s %08x %v\n", x.at.UTC().Format("Jan _2 15:04:05.000"), name(x.from), name(x.to), uint32(x.circ), x.cmd)
	}
	return b.String()
}
