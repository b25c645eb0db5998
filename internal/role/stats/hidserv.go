package stats

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// hidServ counts what onion services of a version do here. Nobody has services of version 2 any more; the lines about them
// stay.
type hidServ struct {
	v3     bool
	random func() float64 // above 0 and below 1, the same for all

	on    atomic.Bool
	cells atomic.Uint64

	mu     sync.Mutex // a leaf; guards onions
	onions distinct
}

// RendCells counts cells that came on circuits which meet here.
func (s *Stats) RendCells(n uint64) {
	if s.hidServ3.on.Load() {
		s.hidServ3.cells.Add(n)
	}
}

// OnionStored counts a descriptor that an onion service has stored here. Those of one blinded key count once.
func (s *Stats) OnionStored(blindedKey *[32]byte) {
	h := &s.hidServ3
	if !h.on.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.onions.add(blindedKey[:])
}

func (h *hidServ) reset(start time.Time) {
	h.on.Store(!start.IsZero())
	h.next()
}

// next begins a day, and returns what the one before has come to.
func (h *hidServ) next() (cells, onions uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	onions = uint64(len(h.onions.seen))
	h.onions = newDistinct()
	return h.cells.Swap(0), onions
}

// An obscured figure is rounded up to a multiple of bin, and gets noise that hides what a single client or service
// contributes: up to delta, the better the smaller epsilon is.
type obscured struct {
	bin, delta uint64
	epsilon    float64
}

var (
	obscuredCells  = obscured{bin: 1024, delta: 2048, epsilon: 0.3}
	obscuredOnions = obscured{bin: 8, delta: 8, epsilon: 0.3}
)

func (h *hidServ) take(e *netdoc.Encoder, start, end time.Time) {
	names := [...]string{"hidserv-stats-end", "hidserv-rend-relayed-cells", "hidserv-dir-onions-seen"}
	if h.v3 {
		names = [...]string{"hidserv-v3-stats-end", "hidserv-rend-v3-relayed-cells", "hidserv-dir-v3-onions-seen"}
	}
	cells, onions := h.next()
	item(e, names[0], start, end)
	e.Item(names[1]).Rest(obscuredCells.text(cells, h.random()))
	e.Item(names[2]).Rest(obscuredOnions.text(onions, h.random()))
}

// text returns what is published of n.
func (o obscured) text(n uint64, random float64) string {
	rounded := int64(min(roundUp(n, o.bin), math.MaxInt64))
	return fmt.Sprintf("%d delta_f=%d epsilon=%.2f bin_size=%d",
		addClamped(rounded, laplace(float64(o.delta)/o.epsilon, random)), o.delta, o.epsilon, o.bin)
}

// laplace turns a random number between 0 and 1, both excluded, into one of the Laplace distribution around 0 with scale b.
func laplace(b, random float64) int64 {
	x := -b * math.Log(1-2*math.Abs(random-0.5))
	if random <= 0.5 {
		x = -x
	}
	return int64(x)
}

func addClamped(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// uniform returns a random number that nobody can guess.
func uniform() float64 {
	var b [8]byte
	rand.Read(b[:])
	return (float64(binary.BigEndian.Uint64(b[:])>>12) + 0.5) / (1 << 52)
}
