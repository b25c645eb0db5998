package circuit

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

// A PaddingAccount says whether a node may pad circuits. A nil one never lets it.
type PaddingAccount struct {
	params atomic.Pointer[padding.Params] // nil for those of an empty consensus

	// Counted only while the consensus has a bound on the share of padding: what all circuits write is much to count.
	bounded        atomic.Bool
	padding, other atomic.Uint64
}

// SetParams says what the consensus, and at a client the user, wants from now on.
func (a *PaddingAccount) SetParams(p padding.Params) {
	a.params.Store(&p)
	a.bounded.Store(p.Percent != 0)
}

func (a *PaddingAccount) get() padding.Params {
	if p := a.params.Load(); p != nil {
		return *p
	}
	return padding.ReadParams(nil)
}

// carried counts n cells other than padding.
func (a *PaddingAccount) carried(n int) {
	if a != nil && a.bounded.Load() {
		a.other.Add(uint64(n))
	}
}

// padded counts a cell of padding.
func (a *PaddingAccount) padded() {
	if a.bounded.Load() {
		a.padding.Add(1)
	}
}

// allowed tells whether one more cell of padding may leave.
func (a *PaddingAccount) allowed() bool {
	p := a.get()
	return !p.Disabled && !p.Over(a.padding.Load(), a.other.Load())
}

// A Padder sends a relay's padding when it is time to: one goroutine for all circuits that have a machine, and nothing for the
// others. Run must be running.
type Padder struct {
	PaddingAccount
	log  *slog.Logger
	wake chan struct{} // holds a token when there is an earlier cell than before

	mu     sync.Mutex // a leaf; guards the fields below
	due    dueHeap
	closed bool
}

// NewPadder returns a padder.
func NewPadder(log *slog.Logger) *Padder { return &Padder{log: log, wake: make(chan struct{}, 1)} }

// Run pads until ctx ends.
func (p *Padder) Run(ctx context.Context) {
	defer p.close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.work(time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// work pads the circuits whose time has come, and returns how long it is until that of the next.
func (p *Padder) work(now time.Time) time.Duration {
	for {
		c, wait := p.first(now)
		if c == nil {
			return wait
		}
		var next time.Time
		if safego.Run(p.log, "circuit padding", func() { next = c.padNow(now) }) {
			c.bwd.panicked()
		}
		if !next.IsZero() {
			p.add(c, next)
		}
	}
}

// first takes the first circuit whose time has come, or returns how long it is until then.
func (p *Padder) first(now time.Time) (*RelayCircuit, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.due) == 0 {
		return nil, time.Hour
	}
	if wait := p.due[0].at.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&p.due).(due).circ, 0
}

// add notes when a circuit is to be padded. It must not be noted already.
func (p *Padder) add(c *RelayCircuit, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	heap.Push(&p.due, due{at, c})
	if p.due[0].circ == c {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *Padder) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due, p.closed = nil, true
}

// due is when a circuit is to be padded. One that has ended meanwhile is here some milliseconds more.
type due struct {
	at   time.Time
	circ *RelayCircuit
}

// dueHeap is a heap of them, the first at the top.
type dueHeap []due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = due{}
	*h = (*h)[:last]
	return x
}
