package circuit

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// A Table holds the circuits of one link. It is the link's Handler.
type Table struct {
	link *link.Link
	log  *slog.Logger

	mu     sync.Mutex // a leaf; guards the fields below
	halves map[cell.CircID]*Half
	closed bool

	// The link's reader alone touches these.
	found []*Half // of each cell in a batch
	rx    receiver
}

// NewTable returns the handler for l.
func NewTable(l *link.Link, log *slog.Logger) *Table {
	return &Table{link: l, log: log, halves: map[cell.CircID]*Half{}}
}

// errNoID says that a link has no circuit ID left.
var errNoID = errors.New("link has no circuit ID left")

// add gives c a circuit ID that is free, with the high bit set, as the initiator of a link must choose them.
//
// https://spec.torproject.org/tor-spec/creating-circuits.html#choosing-circid
func (t *Table) add(c *Circuit) error {
	high, mask := cell.CircID(1)<<31, cell.CircID(1)<<31-1
	if t.link.Proto() < 4 {
		high, mask = 1<<15, 1<<15-1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return &LinkError{t.link.Err()}
	}
	var b [4]byte
	for range 64 {
		rand.Read(b[:])
		id := high | cell.CircID(binary.BigEndian.Uint32(b[:]))&mask
		if t.halves[id] == nil {
			c.id = id
			t.halves[id] = &c.recv
			t.link.AddCircuits(1)
			return nil
		}
	}
	return errNoID
}

// remove forgets the circuit.
func (t *Table) remove(id cell.CircID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.halves[id]; ok {
		delete(t.halves, id)
		t.link.AddCircuits(-1)
	}
}

// Batch implements link.Handler. The table's mutex is taken once; then each run of cells of one circuit goes to its
// Half. A panic closes that circuit and nothing else.
func (t *Table) Batch(b *link.Batch) {
	t.resolve(b.Cells)
	for i := 0; i < len(b.Cells); {
		h, n := t.found[i], 1
		for i+n < len(b.Cells) && t.found[i+n] == h {
			n++
		}
		if h != nil {
			run := b.Cells[i : i+n]
			if safego.Run(t.log, "circuit receive", func() { h.receive(run, &t.rx) }) {
				h.circ.close(errPanic, cell.DestroyInternal)
			}
		}
		i += n
	}
}

var errPanic = errors.New("a panic was contained in this circuit")

// resolve fills t.found with the Half of each cell, nil for circuits that are not there. That is normal: their DESTROY
// and the peer's cells crossed on the way.
func (t *Table) resolve(cells []link.Cell) {
	t.found = t.found[:0]
	t.mu.Lock()
	defer t.mu.Unlock()
	var last *Half
	var lastID cell.CircID
	for i := range cells {
		if id := cells[i].Circ; id != lastID {
			last, lastID = t.halves[id], id
		}
		t.found = append(t.found, last)
	}
}

// Closed implements link.Handler.
func (t *Table) Closed(err error) {
	t.mu.Lock()
	t.closed = true
	halves := t.halves
	t.halves = nil
	t.mu.Unlock()
	for _, h := range halves {
		h.circ.close(&LinkError{err}, cell.DestroyChannelClosed)
	}
}
