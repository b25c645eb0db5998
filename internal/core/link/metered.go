package link

import (
	"net"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// Metered returns c with its bytes counted and limited like those of links: for exit connections, which are of class Own, and
// for those that documents are served over, which are Relayed. Reads and writes wait for the limits until c is closed, whatever their deadlines.
func (r *Registry) Metered(c net.Conn, class Class) net.Conn {
	return &metered{newMeter(c, &r.rates, class)}
}

// A metered is a connection that belongs to no link.
type metered struct{ *meter }

var (
	_ netx.HalfCloser = (*metered)(nil)
	_ netx.ReadWaiter = (*metered)(nil)
	_ netx.TryWriter  = (*metered)(nil)
)

// Write waits before each share, so that long writes leave room for others.
func (m *metered) Write(p []byte) (total int, err error) {
	for {
		share, err := m.settle(writing)
		if err != nil {
			return total, err
		}
		n, err := m.meter.Write(p[:min(len(p), share)])
		total, p = total+n, p[n:]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}

// TryWrite implements netx.TryWriter: it writes nothing when it would have to wait for the limits.
func (m *metered) TryWrite(p []byte) (total int, err error) {
	w, ok := m.Conn.(netx.TryWriter)
	if !ok {
		return 0, nil
	}
	if m.counted() {
		owed := m.owed[writing].Swap(0)
		list := m.limiters(writing)
		for i := range list {
			if list[i].Try(int(owed)) {
				continue
			}
			for _, l := range list[:i] {
				l.GiveBack(int(owed))
			}
			m.owed[writing].Add(owed)
			return 0, nil
		}
	}
	n, err := w.TryWrite(p)
	m.note(writing, n)
	return n, err
}

// CloseWrite implements netx.HalfCloser.
func (m *metered) CloseWrite() error {
	if h, ok := m.Conn.(netx.HalfCloser); ok {
		return h.CloseWrite()
	}
	return nil
}
