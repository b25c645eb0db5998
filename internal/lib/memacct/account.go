// Package memacct knows how many bytes lie in queues and caches, and frees some when they are too many (MaxMemInQueues).
//
// Who fills a queue adds to a [Counter], once a chunk. Who keeps a cache registers as a [Holder], and is asked. When all
// together reach the maximum, caches that have grown too large are cut first, and then whatever has waited longest goes
// until nine tenths of the maximum are left.
package memacct

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// Config is what an Account needs.
type Config struct {
	Log *slog.Logger
	Max int64 // bytes; none if zero

	// Evict frees bytes, the longest waiting first, and returns how many it has freed: it closes circuits. It may be nil.
	Evict func(bytes int64) (freed int64)
	// Overload is called each time the maximum was reached. It may be nil.
	Overload func()
}

// A Holder keeps bytes that it can do without. Its functions are called by the goroutine in Run.
type Holder struct {
	Name   string
	Memory func() int64                    // how many bytes there are
	Shrink func(bytes int64) (freed int64) // frees about so many, and returns how many
	Limit  func() int64                    // when memory is short, whoever holds more is cut to half of this; a fifth of the maximum if nil
}

// An Account adds up what is held. Its methods are safe for concurrent use.
type Account struct {
	cfg     Config
	max     atomic.Int64
	start   time.Time     // what pressed counts from
	pressed atomic.Int64  // when memory was last low, plus one; 0 for never
	poked   chan struct{} // holds a token when it is to be looked at
	tell    time.Duration // when the operator may be told again, after start; Run's

	mu       sync.Mutex // guards the fields below; a leaf
	counters []*Counter
	holders  []Holder
	freed    map[string]int64
}

// Shares of the maximum, as in C tor: cell_queues_check_size, circuits_handle_oom.
const (
	lowNum, lowDen       = 3, 4  // from here on memory is low
	retainNum, retainDen = 9, 10 // what is left after freeing
	holderDen            = 5     // a Holder's share
)

const (
	// pressureFor is how long Pressure tells of low memory.
	pressureFor = 30 * time.Minute
	// pollAfter is how long a Holder may grow unnoticed. Counters are not waited for.
	pollAfter = 10 * time.Second
	// minSlack is how much a Counter grows before it is looked at again.
	minSlack = 64 << 10
	// tellAfter is how much time passes between two messages for the operator.
	tellAfter = time.Minute
)

// circuits is what is freed by Evict, in Freed.
const circuits = "circuits"

// New returns an Account. Run must be running for anything to be freed.
func New(cfg Config) *Account {
	a := &Account{cfg: cfg, start: time.Now(), poked: make(chan struct{}, 1), freed: map[string]int64{}}
	a.max.Store(cfg.Max)
	return a
}

// SetMax changes the maximum.
func (a *Account) SetMax(bytes int64) {
	a.max.Store(bytes)
	a.poke()
}

// Max returns the maximum, 0 if there is none.
func (a *Account) Max() int64 { return a.max.Load() }

// Register adds a holder. Its functions are called from now on.
func (a *Account) Register(h Holder) {
	a.mu.Lock()
	a.holders = append(a.holders, h)
	a.mu.Unlock()
	a.poke()
}

// Pressure tells whether memory was low within the last half hour.
func (a *Account) Pressure() bool {
	at := a.pressed.Load()
	return at > 0 && time.Since(a.start)-time.Duration(at-1) < pressureFor
}

// Used returns the bytes that are held, by name.
func (a *Account) Used() map[string]int64 {
	counters, holders := a.lists()
	used := map[string]int64{}
	for _, c := range counters {
		used[c.name] += c.Bytes()
	}
	for _, h := range holders {
		used[h.Name] += h.Memory()
	}
	return used
}

// Freed returns the bytes that were freed for want of memory, by the name of the holder, or "circuits".
func (a *Account) Freed() map[string]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.freed)
}

func (a *Account) lists() ([]*Counter, []Holder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counters[:len(a.counters):len(a.counters)], a.holders[:len(a.holders):len(a.holders)]
}

// Run looks after the account until ctx ends.
func (a *Account) Run(ctx context.Context) {
	for {
		wait := time.Duration(math.MaxInt64)
		if _, holders := a.lists(); len(holders) > 0 && a.Max() > 0 {
			wait = pollAfter
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-a.poked:
		case <-timer.C:
		}
		timer.Stop()
		safego.Run(a.cfg.Log, "memory account", a.check)
	}
}

// poke makes Run look soon.
func (a *Account) poke() {
	select {
	case a.poked <- struct{}{}:
	default:
	}
}

// check frees memory if that is needed.
func (a *Account) check() {
	limit := a.Max()
	if limit <= 0 {
		return
	}
	used := a.total()
	if used >= limit/lowDen*lowNum {
		a.pressed.Store(int64(time.Since(a.start)) + 1)
	}
	if used >= limit {
		a.shrink(used, limit)
		used = a.total()
	}
	a.rearm(used, limit)
}

func (a *Account) total() (sum int64) {
	counters, holders := a.lists()
	for _, c := range counters {
		sum += c.Bytes()
	}
	for _, h := range holders {
		sum += h.Memory()
	}
	return sum
}

// rearm sets how far each counter may grow until it is looked at again: all of them together not past the next mark.
func (a *Account) rearm(used, limit int64) {
	mark := limit / lowDen * lowNum
	if used >= mark {
		mark = limit
	}
	counters, _ := a.lists()
	for _, c := range counters {
		c.alarm.Store(c.Bytes() + max((mark-used)/int64(len(counters)), minSlack))
	}
}

// shrink brings what is used to nine tenths of the limit.
func (a *Account) shrink(used, limit int64) {
	if a.cfg.Overload != nil {
		a.cfg.Overload()
	}
	level := slog.LevelDebug
	if now := time.Since(a.start); now >= a.tell {
		level, a.tell = safelog.LevelNotice, now+tellAfter
	}
	a.cfg.Log.Log(context.Background(), level, "Queues and caches take too much memory: cutting caches, and closing circuits whose cells have waited longest. "+
		"(MaxMemInQueues says how much they may take.)", "used", used, "max", limit)
	_, holders := a.lists()
	for _, h := range holders {
		may := limit / holderDen
		if h.Limit != nil {
			may = h.Limit()
		}
		if n := h.Memory(); n > may {
			used -= a.note(h.Name, h.Shrink(n-may/2))
		}
	}
	if over := used - limit/retainDen*retainNum; over > 0 && a.cfg.Evict != nil {
		a.note(circuits, a.cfg.Evict(over))
	}
}

// note keeps in mind what was freed.
func (a *Account) note(name string, bytes int64) int64 {
	a.cfg.Log.Debug("memory freed", "of", name, "bytes", bytes)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.freed[name] += bytes
	return bytes
}
