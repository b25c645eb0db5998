package tokenbucket

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBucket(t *testing.T) {
	type step struct {
		at   time.Duration
		take int
		due  time.Duration
	}
	for _, c := range []struct {
		name        string
		rate, burst int64
		steps       []step
	}{
		{"no limit", 0, 0, []step{{0, 1 << 40, 0}, {0, 1, 0}}},
		{"the burst is there", 100, 1000, []step{{0, 1000, 0}, {0, 1, 10 * time.Millisecond}}},
		{"debts add up", 100, 100, []step{{0, 200, time.Second}, {0, 100, 2 * time.Second}, {time.Second, 100, 2 * time.Second}}},
		{"more than the burst", 100, 10, []step{{0, 1010, 10 * time.Second}}},
		{"it fills", 100, 1000, []step{{0, 1000, 0}, {5 * time.Second, 500, 0}, {5 * time.Second, 1, 10 * time.Millisecond}}},
		{"no further than the burst", 100, 1000, []step{{0, 1000, 0}, {time.Hour, 1001, 10 * time.Millisecond}}},
		{"time does not go back", 100, 100, []step{{time.Second, 100, 0}, {0, 100, time.Second}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Bucket
			b.Set(0, c.rate, c.burst)
			for i, s := range c.steps {
				if got := b.Due(s.at, b.Take(s.at, s.take)); got != s.due {
					t.Errorf("step %d: due in %v, want %v", i, got, s.due)
				}
			}
		})
	}
}

func TestBucketSet(t *testing.T) {
	var b Bucket
	b.Take(0, 1<<30)
	b.Set(0, 100, 1000) // without a limit nothing is owed
	ticket := b.Take(0, 2000)
	if d := b.Due(0, ticket); d != 10*time.Second {
		t.Errorf("due in %v", d)
	}
	b.Set(time.Second, 1000, 1000) // 900 are missing
	if d := b.Due(time.Second, ticket); d != 900*time.Millisecond {
		t.Errorf("at the higher rate in %v", d)
	}
	b.Set(time.Second, 0, 0)
	if d := b.Due(time.Second, ticket); d != 0 {
		t.Errorf("without a limit in %v", d)
	}
	b.Set(time.Minute, 1000, 5000)
	b.Set(time.Minute, 1000, 10) // what is over the burst is lost
	if d := b.Due(time.Minute, b.Take(time.Minute, 1010)); d != time.Second {
		t.Errorf("with a small burst in %v", d)
	}
}

// Nobody gets more than burst and rate allow, whatever they do, nor less when somebody always waits.
func FuzzBucket(f *testing.F) {
	f.Add(uint64(1), uint32(1000), uint32(5000))
	f.Fuzz(func(t *testing.T, seed uint64, rate, burst uint32) {
		if rate == 0 {
			return
		}
		rnd := rand.New(rand.NewPCG(seed, 0))
		var b Bucket
		b.Set(0, int64(rate), int64(burst))
		var now time.Duration
		total := 0.0
		for range 200 {
			n := 1 + rnd.IntN(1<<16)
			now += b.Due(now, b.Take(now, n))
			total += float64(n)
			may := float64(burst) + float64(rate)*now.Seconds()
			if total > may+2+may*1e-9 || total < may-float64(burst)-2-may*1e-9 {
				t.Fatalf("%g tokens by %v, which brings %g", total, now, may)
			}
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(Limiter)
		l.Set(64_000, 64_000)
		start := time.Now()
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if !l.Wait(nil, 32_000) {
					t.Error("given up")
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
				if want := max(0, time.Duration(i-1)*500*time.Millisecond); time.Since(start).Round(time.Millisecond) != want {
					t.Errorf("number %d went after %v, want %v", i, time.Since(start), want)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("they went in the order %v", order)
			}
		}
		if l.Waits() != 8 {
			t.Errorf("%d had to wait", l.Waits())
		}
	})
}

// Who gives up takes nothing, and those behind move up.
func TestLimiterDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(Limiter)
		l.Set(1000, 1000)
		l.Wait(nil, 1000)
		start, done := time.Now(), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if l.Wait(done, 60_000) {
				t.Error("not given up")
			}
		})
		synctest.Wait()
		wg.Go(func() { l.Wait(nil, 1000) })
		time.Sleep(500 * time.Millisecond)
		close(done)
		wg.Wait()
		// The second has computed its time already: it looks again when that has come, or when something changes.
		if l.Wait(nil, 1000); time.Since(start) > 62*time.Second {
			t.Errorf("after %v", time.Since(start))
		}
	})
}

// A new rate holds for those who wait already.
func TestLimiterSet(t *testing.T) {
	for _, c := range []struct {
		name string
		rate int64
		want time.Duration
	}{{"higher", 59_000, 2 * time.Second}, {"lower", 500, 119 * time.Second}, {"none", 0, time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := new(Limiter)
				l.Set(1000, 1000)
				l.Wait(nil, 1000)
				start := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { l.Wait(nil, 60_000) })
				time.Sleep(time.Second)
				l.Set(c.rate, c.rate)
				wg.Wait()
				if got := time.Since(start).Round(time.Millisecond); got != c.want {
					t.Errorf("after %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestShare(t *testing.T) {
	var none *Limiter
	if none.Share() != 0 || !none.Wait(nil, 1<<40) || !new(Limiter).Wait(nil, 1<<40) {
		t.Error("a limiter without a limit limits")
	}
	for rate, want := range map[int64]int{0: 0, 1: 2 << 10, 75 << 10: 2 << 10, 1 << 20: 16 << 10, 1 << 30: 64 << 10} {
		l := new(Limiter)
		if l.Set(rate, rate); l.Share() != want {
			t.Errorf("%d bytes a second: share %d, want %d", rate, l.Share(), want)
		}
	}
}

func BenchmarkWait(b *testing.B) {
	for name, rate := range map[string]int64{"none": 0, "ample": 1 << 40} {
		b.Run(name, func(b *testing.B) {
			l := new(Limiter)
			l.Set(rate, rate)
			b.ReportAllocs()
			for b.Loop() {
				l.Wait(nil, 1<<10)
			}
		})
	}
}
