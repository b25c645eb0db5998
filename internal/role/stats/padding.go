package stats

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// Cells are numbers of cells that went one way.
type Cells struct {
	Total   uint64 // of any kind
	Padding uint64 // PADDING
	Drop    uint64 // RELAY with DROP, for us or from us

	// Total and Padding of links on which there is padding.
	PaddedTotal, PaddedPadding uint64
}

// padding counts cells, and how many are in vain.
type padding struct {
	on            atomic.Bool
	read, written cellCounts
	timers        atomic.Uint64 // the most at a time
}

type cellCounts struct{ total, padding, drop, paddedTotal, paddedPadding atomic.Uint64 }

// AddCells counts cells since the last call.
func (s *Stats) AddCells(read, written Cells) {
	if p := &s.padding; p.on.Load() {
		p.read.add(&read)
		p.written.add(&written)
	}
}

// PaddingTimers tells on how many links there is padding to be sent when they are idle.
func (s *Stats) PaddingTimers(n uint64) {
	p := &s.padding
	for old := p.timers.Load(); n > old && !p.timers.CompareAndSwap(old, n); old = p.timers.Load() {
	}
}

func (c *cellCounts) add(n *Cells) {
	c.total.Add(n.Total)
	c.padding.Add(n.Padding)
	c.drop.Add(n.Drop)
	c.paddedTotal.Add(n.PaddedTotal)
	c.paddedPadding.Add(n.PaddedPadding)
}

// cellStep is what cells are rounded up to.
const cellStep = 10000

func (c *cellCounts) take() Cells {
	next := func(n *atomic.Uint64) uint64 { return roundUp(n.Swap(0), cellStep) }
	return Cells{next(&c.total), next(&c.padding), next(&c.drop), next(&c.paddedTotal), next(&c.paddedPadding)}
}

func (p *padding) reset(start time.Time) {
	p.on.Store(!start.IsZero())
	p.read.take()
	p.written.take()
	p.timers.Store(0)
}

func (p *padding) take(e *netdoc.Encoder, start, end time.Time) {
	r, w := p.read.take(), p.written.take()
	timers := p.timers.Swap(0)
	if r.Total == 0 || w.Total == 0 {
		return
	}
	item(e, "padding-counts", start, end).Rest(fmt.Sprintf("bin-size=%d write-drop=%d write-pad=%d write-total=%d "+
		"read-drop=%d read-pad=%d read-total=%d enabled-read-pad=%d enabled-read-total=%d enabled-write-pad=%d "+
		"enabled-write-total=%d max-chanpad-timers=%d", cellStep, w.Drop, w.Padding, w.Total, r.Drop, r.Padding, r.Total,
		r.PaddedPadding, r.PaddedTotal, w.PaddedPadding, w.PaddedTotal, timers))
}
