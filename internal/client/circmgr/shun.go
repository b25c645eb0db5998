package circmgr

import (
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// shun acts on the end of e if it came of a link that broke between its first two relays. Our other circuits over that
// link are dead as well, but the first relay may not say so: C tor's queues the news of all of them, sends that of one, and
// the rest waits for the next other cell on our link (circuitmux_append_destroy_cell wakes no scheduler, and keeps padding
// away). So they take no new streams; and if one of them has streams, a new circuit makes the relay send something.
func (m *Manager) shun(e *entry, now time.Time) {
	end, ok := errors.AsType[*circuit.PeerClosedError](e.circ.Err())
	if !ok || end.Truncated || end.Reason != cell.DestroyChannelClosed {
		return
	}
	inUse := false
	for other := range m.pool {
		if other == e || other.circ == nil || other.path[0].RSA != e.path[0].RSA || other.path[1].RSA != e.path[1].RSA {
			continue
		}
		if m.retired(other, now) || other.circ.Err() != nil {
			continue
		}
		m.retire(other, now)
		inUse = inUse || other.circ.Tunnel().Streams() > 0
	}
	if v := m.cfg.Dir.View(); v != nil && inUse {
		m.launch(v, e.need) // if it cannot be, there is nothing to mend
	}
}

// retire keeps new streams off a circuit; those it has go on.
func (m *Manager) retire(e *entry, now time.Time) { e.dirty = now.Add(-m.cfg.MaxDirtiness) }

// retired tells whether a circuit takes new streams no more.
func (m *Manager) retired(e *entry, now time.Time) bool {
	return !e.dirty.IsZero() && now.Sub(e.dirty) >= m.cfg.MaxDirtiness
}
