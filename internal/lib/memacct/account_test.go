package memacct

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const mib = 1 << 20

// A world is an account with circuits of which the oldest can be closed.
type world struct {
	*Account
	cells    *Counter
	evicted  []int64
	overload int
	log      strings.Builder
}

// newWorld makes one in a bubble.
func newWorld(t *testing.T, limit int64) *world {
	w := new(world)
	w.Account = New(Config{
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Max: limit, Overload: func() { w.overload++ },
		Evict: func(n int64) int64 {
			w.evicted = append(w.evicted, n)
			n = min(n, w.cells.Bytes())
			w.cells.Add(-n)
			return n
		},
	})
	w.cells = w.Counter("cells")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return w
}

// cache is a holder that can free all it has.
type cache struct{ bytes atomic.Int64 }

func (c *cache) holder(name string, limit func() int64) Holder {
	return Holder{Name: name, Limit: limit, Memory: c.bytes.Load, Shrink: func(n int64) int64 {
		n = min(n, c.bytes.Load())
		c.bytes.Add(-n)
		return n
	}}
}

func TestEvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100*mib)
		for range 99 { // however it grows, nothing happens below the limit
			w.cells.Add(mib)
			synctest.Wait()
		}
		if w.overload != 0 || !w.Pressure() {
			t.Errorf("overload %d times, pressure %v", w.overload, w.Pressure())
		}
		w.cells.Add(mib)
		synctest.Wait()
		if fmt.Sprint(w.evicted) != fmt.Sprint([]int{10 * mib}) || w.overload != 1 || w.cells.Bytes() != 90*mib {
			t.Errorf("evicted %v, overload %d times, %d bytes left", w.evicted, w.overload, w.cells.Bytes())
		}
		if got := w.Freed(); !maps.Equal(got, map[string]int64{"circuits": 10 * mib}) {
			t.Errorf("freed %v", got)
		}
		w.cells.Add(20 * mib) // again, and the operator is not told twice a minute
		synctest.Wait()
		if n := strings.Count(w.log.String(), "MaxMemInQueues"); n != 1 || w.overload != 2 {
			t.Errorf("told %d times of %d overloads", n, w.overload)
		}
		w.cells.Add(-w.cells.Bytes())
		time.Sleep(pressureFor)
		if w.Pressure() {
			t.Error("there is pressure after half an hour")
		}
	})
}

// Caches above their share go first, and circuits only for what is left.
func TestHolders(t *testing.T) {
	for _, c := range []struct {
		name            string
		cells, dns, hs  int64 // MiB
		hsLimit         int64
		wantDNS, wantHS int64
		evict           string
	}{
		{"within their shares", 65, 20, 15, 20, 20, 15, "[10]"},
		{"one above", 65, 30, 5, 20, 10, 5, "[]"}, // 80 are left
		{"both, and circuits", 40, 30, 30, 20, 10, 10, "[]"},
		{"not enough", 83, 21, 1, 20, 10, 1, "[4]"},
		{"a limit of its own", 90, 0, 10, 4, 0, 2, "[2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 100*mib)
				dns, hs := new(cache), new(cache)
				w.Register(dns.holder("dns", nil))
				w.Register(hs.holder("hs", func() int64 { return c.hsLimit * mib }))
				dns.bytes.Store(c.dns * mib)
				hs.bytes.Store(c.hs * mib)
				w.cells.Add(c.cells * mib) // last: it may wake the account
				time.Sleep(pollAfter)
				synctest.Wait()
				var evicted []int64
				for _, n := range w.evicted {
					evicted = append(evicted, n/mib)
				}
				if dns.bytes.Load() != c.wantDNS*mib || hs.bytes.Load() != c.wantHS*mib || fmt.Sprint(evicted) != c.evict {
					t.Errorf("dns %d, hs %d, evicted %v", dns.bytes.Load()/mib, hs.bytes.Load()/mib, evicted)
				}
			})
		})
	}
}

// A holder that grows by itself is noticed, and one that panics does not end the account.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100*mib)
		c := new(cache)
		w.Register(c.holder("cache", nil))
		var good atomic.Bool
		w.Register(Holder{Name: "bad", Memory: func() int64 {
			if !good.Load() {
				panic("bad")
			}
			return 0
		}})
		c.bytes.Store(150 * mib)
		time.Sleep(time.Minute)
		good.Store(true)
		time.Sleep(pollAfter)
		synctest.Wait()
		if c.bytes.Load() != 10*mib || w.Freed()["cache"] != 140*mib {
			t.Errorf("%d bytes left; freed %v", c.bytes.Load(), w.Freed())
		}
	})
}

func TestSetMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		w.cells.Add(1000 * mib)
		synctest.Wait()
		if w.overload != 0 {
			t.Error("overload without a limit")
		}
		w.SetMax(500 * mib)
		synctest.Wait()
		if w.cells.Bytes() != 450*mib {
			t.Errorf("%d bytes left", w.cells.Bytes())
		}
		if got := w.Used(); !maps.Equal(got, map[string]int64{"cells": 450 * mib}) {
			t.Errorf("used %v", got)
		}
	})
}

// What cannot be freed does not keep the account busy: it looks again after some growth.
func TestNothingToFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, mib)
		w.cfg.Evict = func(n int64) int64 { w.evicted = append(w.evicted, n); return 0 }
		for range 1000 {
			w.cells.Add(mib / 1000 * 2)
			synctest.Wait()
		}
		if n := len(w.evicted); n > mib/minSlack+1 || n == 0 {
			t.Errorf("looked %d times", n)
		}
	})
}

func TestNilCounter(t *testing.T) {
	var a *Account
	c := a.Counter("none")
	c.Add(5)
	if c.Bytes() != 0 {
		t.Error(c.Bytes())
	}
}

func BenchmarkAdd(b *testing.B) {
	c := New(Config{Max: 1 << 40}).Counter("cells")
	c.alarm.Store(1 << 40)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Add(100)
			c.Add(-100)
		}
	})
}
