package stats

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// exitPorts counts what exit streams do, by the port they go to.
type exitPorts struct {
	ports atomic.Pointer[[1 << 16]portCount] // nil if this is not counted; an event that meets the end of a day may be lost
}

type portCount struct{ written, read, streams atomic.Uint64 }

// ExitStream counts a stream to a server, once it is connected.
func (s *Stats) ExitStream(port uint16) {
	if ports := s.exitPorts.ports.Load(); ports != nil {
		ports[port].streams.Add(1)
	}
}

// ExitBytes counts bytes of exit streams, from servers and to them.
func (s *Stats) ExitBytes(port uint16, read, written uint64) {
	if ports := s.exitPorts.ports.Load(); ports != nil {
		ports[port].read.Add(read)
		ports[port].written.Add(written)
	}
}

func (x *exitPorts) reset(start time.Time) {
	if start.IsZero() {
		x.ports.Store(nil)
	} else {
		x.ports.Store(new([1 << 16]portCount))
	}
}

// Bytes are rounded up to kibibytes, and streams to exitStreamStep. Ports other than the topPorts with most traffic are
// told of as one.
const (
	kibibyte       = 1024
	exitStreamStep = 4
	topPorts       = 10
)

// portUse is what one port, or others, came to.
type portUse struct {
	name                   string
	written, read, streams uint64
}

func (x *exitPorts) take(e *netdoc.Encoder, start, end time.Time) {
	use := top(x.ports.Swap(new([1 << 16]portCount)))
	list := func(of func(portUse) uint64) string {
		var parts []string
		for _, u := range use {
			if n := of(u); n > 0 || u.name == otherPorts {
				parts = append(parts, u.name+"="+strconv.FormatUint(n, 10))
			}
		}
		return strings.Join(parts, ",")
	}
	item(e, "exit-stats-end", start, end)
	e.Item("exit-kibibytes-written").Rest(list(func(u portUse) uint64 { return roundUp(u.written, kibibyte) / kibibyte }))
	e.Item("exit-kibibytes-read").Rest(list(func(u portUse) uint64 { return roundUp(u.read, kibibyte) / kibibyte }))
	e.Item("exit-streams-opened").Rest(list(func(u portUse) uint64 { return roundUp(u.streams, exitStreamStep) }))
}

const otherPorts = "other"

// top returns the ports with most traffic, by number, and the others.
func top(ports *[1 << 16]portCount) (use []portUse) {
	var busy []int
	bytes := func(port int) uint64 { return ports[port].written.Load() + ports[port].read.Load() }
	other := portUse{name: otherPorts}
	for port := range ports {
		if bytes(port) > 0 {
			busy = append(busy, port)
		} else {
			other.streams += ports[port].streams.Load()
		}
	}
	slices.SortStableFunc(busy, func(a, b int) int { return cmp.Compare(bytes(b), bytes(a)) })
	first := min(len(busy), topPorts)
	for _, port := range busy[first:] {
		p := &ports[port]
		other.written, other.read, other.streams = other.written+p.written.Load(), other.read+p.read.Load(), other.streams+p.streams.Load()
	}
	busy = busy[:first]
	slices.Sort(busy)
	for _, port := range busy {
		p := &ports[port]
		use = append(use, portUse{strconv.Itoa(port), p.written.Load(), p.read.Load(), p.streams.Load()})
	}
	return append(use, other)
}
