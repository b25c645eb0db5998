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
	link  *link.Link
	log   *slog.Logger
	relay Relay // nil at a client

	mu     sync.Mutex // a leaf; guards the fields below
	halves map[cell.CircID]*Half
	closed bool

	// The link's reader alone touches these, and Half.queued with them.
	runs    []run
	next    []int32     // of each cell in a batch: the next one of its circuit, or -1
	cell    []link.Cell // those of one run
	creates []int32     // cells of a batch that want a new circuit
	rx      receiver
}

// A run is what a batch holds of one circuit.
type run struct {
	half        *Half
	first, last int32 // cells of the batch, chained by Table.next
}

// NewTable returns the handler for l, at a client: nobody can create circuits by it.
func NewTable(l *link.Link, log *slog.Logger) *Table { return NewRelayTable(l, log, nil) }

// NewRelayTable returns the handler for l at a relay, or if relay is nil at a client.
func NewRelayTable(l *link.Link, log *slog.Logger, relay Relay) *Table {
	return &Table{link: l, log: log, relay: relay, halves: map[cell.CircID]*Half{}}
}

// errNoID says that a link has no circuit ID left.
var errNoID = errors.New("link has no circuit ID left")

// highBit returns the bit of circuit IDs that tells which end of the link has chosen them.
func (t *Table) highBit() cell.CircID {
	if t.link.Proto() < 4 {
		return 1 << 15
	}
	return 1 << 31
}

// add puts h into the table under a circuit ID that is free, with the high bit set if this end has initiated the link. It
// stores the ID in id before anybody can find h.
//
// https://spec.torproject.org/tor-spec/creating-circuits.html#choosing-circid
func (t *Table) add(h *Half, id *cell.CircID) error {
	high := t.highBit()
	mask := high - 1
	if !t.link.Initiated() {
		high = 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return &LinkError{t.link.Err()}
	}
	var b [4]byte
	for range 64 {
		rand.Read(b[:])
		free := high | cell.CircID(binary.BigEndian.Uint32(b[:]))&mask
		if free != 0 && t.halves[free] == nil {
			*id = free
			t.halves[free] = h
			t.link.AddCircuits(1)
			return nil
		}
	}
	return errNoID
}

// enter puts h into the table under an ID that the other end has chosen, if that is free.
func (t *Table) enter(id cell.CircID, h *Half) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.halves[id] != nil {
		return false
	}
	t.halves[id] = h
	t.link.AddCircuits(1)
	return true
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

// Batch implements link.Handler. The table's mutex is taken once; then the cells of each circuit go to its Half, in order
// and together: relays write a cell of this circuit, then one of that, and a mutex, a SENDME and a wake-up a cell would be
// most of the cost. A panic closes that circuit and nothing else.
func (t *Table) Batch(b *link.Batch) {
	t.sort(b.Cells)
	for _, r := range t.runs {
		t.cell = t.cell[:0]
		for i := r.first; i >= 0; i = t.next[i] {
			t.cell = append(t.cell, b.Cells[i])
		}
		if safego.Run(t.log, "circuit receive", func() { r.half.recv.receive(t.cell, &t.rx) }) {
			r.half.recv.panicked()
		}
	}
	for _, i := range t.creates {
		safego.Run(t.log, "circuit create", func() { t.create(&b.Cells[i]) })
	}
	t.rx.signalAll()
	clear(t.runs) // a circuit that ends is not to be kept in memory
}

var errPanic = errors.New("a panic was contained in this circuit")

// sort makes t.runs of the cells, in the order of their first ones. Cells of circuits that are not there are left out.
// That is normal: their DESTROY and the peer's cells crossed on the way.
func (t *Table) sort(cells []link.Cell) {
	t.runs, t.next, t.creates = t.runs[:0], t.next[:0], t.creates[:0]
	t.mu.Lock()
	defer t.mu.Unlock()
	var h *Half
	var id cell.CircID
	for i := range cells {
		if cells[i].Circ != id {
			id = cells[i].Circ
			h = t.halves[id]
		}
		t.next = append(t.next, -1)
		n := int32(i)
		if h == nil {
			if t.relay != nil && creates(cells[i].Cmd) {
				t.creates = append(t.creates, n)
			}
			continue
		}
		if r := h.queued; r < len(t.runs) && t.runs[r].half == h {
			t.next[t.runs[r].last] = n
			t.runs[r].last = n
			continue
		}
		h.queued = len(t.runs)
		t.runs = append(t.runs, run{h, n, n})
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
		h.recv.linkClosed(err)
	}
}
