package link

import "sync/atomic"

// Cells are numbers of fixed-length cells on open links, for what a relay publishes of its padding.
type Cells struct {
	Total, Padding, Drop         uint64 // Drop are relay cells with DROP that ended or began here
	EnabledTotal, EnabledPadding uint64 // of these, on links where padding was on
}

type cellCount struct{ total, padding, drop, enabledTotal, enabledPadding atomic.Uint64 }

func (c *cellCount) get() Cells {
	return Cells{c.total.Load(), c.padding.Load(), c.drop.Load(), c.enabledTotal.Load(), c.enabledPadding.Load()}
}

// DropRead counts a DROP that came to its end here.
func (l *Link) DropRead() { l.registry.read.drop.Add(1) }

// DropWritten counts a DROP that began here.
func (l *Link) DropWritten() { l.registry.written.drop.Add(1) }

// add counts cells of one batch. enabled tells whether padding is on for its link.
func (c *cellCount) add(total, padding int, enabled bool) {
	c.total.Add(uint64(total))
	if enabled {
		c.enabledTotal.Add(uint64(total))
	}
	if padding == 0 {
		return
	}
	c.padding.Add(uint64(padding))
	if enabled {
		c.enabledPadding.Add(uint64(padding))
	}
}
