package resolver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestClipTTL(t *testing.T) {
	for _, tt := range []struct {
		seconds uint32
		base    time.Duration
	}{{0, minTTL}, {299, minTTL}, {300, maxTTL}, {3599, maxTTL}, {1<<31 - 1, maxTTL}, {1 << 31, minTTL}, {1<<32 - 1, minTTL}} {
		low, high := time.Duration(1<<62), time.Duration(0)
		for range 5000 {
			got := clipTTL(tt.seconds)
			low, high = min(low, got), max(high, got)
			if got%time.Second != 0 {
				t.Fatalf("%d: %v is not in whole seconds", tt.seconds, got)
			}
		}
		if low < tt.base-fuzzTTL || high > tt.base+fuzzTTL || low > tt.base-fuzzTTL*9/10 || high < tt.base+fuzzTTL*9/10 {
			t.Errorf("%d: between %v and %v, want %v ± %v", tt.seconds, low, high, tt.base, fuzzTTL)
		}
	}
}

// Answers stay for as long as clients are told, with the same lifetime for all, so that it does not tell when somebody
// else has asked.
func TestCache(t *testing.T) {
	h := zone("long.example. 86400 IN A 203.0.113.1", "short.example. 1 IN A 203.0.113.1")
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		for _, host := range []string{"long.example", "short.example"} {
			start, before := time.Now(), b.servers[0].questions()
			first := b.wantAddrs(host, Want{V4: true}, good)
			base := maxTTL
			if host == "short.example" {
				base = minTTL
			}
			if first.TTL < base-fuzzTTL || first.TTL > base+fuzzTTL {
				t.Errorf("%s: TTL %v", host, first.TTL)
			}
			time.Sleep(first.TTL - 1)
			if again := b.wantAddrs(host, Want{V4: true}, good); again.TTL != first.TTL {
				t.Errorf("%s: TTL %v, then %v", host, first.TTL, again.TTL)
			}
			if n := b.servers[0].questions() - before; n != 1 {
				t.Errorf("%s: %d questions in its lifetime", host, n)
			}
			time.Sleep(time.Until(start.Add(first.TTL + 2*latency)))
			b.wantAddrs(host, Want{V4: true}, good)
			if n := b.servers[0].questions() - before; n != 2 {
				t.Errorf("%s: %d questions after its lifetime", host, n)
			}
		}
	})
}

func TestNegativeCache(t *testing.T) {
	withSOA := func(ttl, minimum uint32, rcode int) handler {
		return func(x *exchange) {
			m := x.rcode(rcode)
			rr, _ := dns.NewRR(fmt.Sprintf("example. %d IN SOA a.example. b.example. 1 2 3 4 %d", ttl, minimum))
			m.Ns = append(m.Ns, rr)
			x.reply(m)
		}
	}
	for _, tt := range []struct {
		name string
		h    handler
		want error
		keep time.Duration // ± fuzzTTL
	}{
		{"NXDOMAIN", code(dns.RcodeNameError), ErrNotFound, minTTL},
		{"no records", code(dns.RcodeSuccess), ErrNotFound, minTTL},
		{"long SOA", withSOA(3600, 3600, dns.RcodeNameError), ErrNotFound, maxTTL},
		{"long SOA without records", withSOA(3600, 3600, dns.RcodeSuccess), ErrNotFound, maxTTL},
		{"SOA with a short minimum", withSOA(3600, 60, dns.RcodeNameError), ErrNotFound, minTTL},
		{"SOA that is short", withSOA(60, 3600, dns.RcodeNameError), ErrNotFound, minTTL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBed(t, 1, tt.h, nil, func(t *testing.T, b *bed) {
				b.wantErr("www.example", Want{V4: true}, tt.want, true)
				_, err := b.r.Resolve(t.Context(), "www.example", Want{V4: true})
				e, _ := errors.AsType[*Error](err)
				if e.TTL < tt.keep-fuzzTTL || e.TTL > tt.keep+fuzzTTL {
					t.Errorf("TTL %v, want %v ± %v", e.TTL, tt.keep, fuzzTTL)
				}
				if n := b.servers[0].questions(); n != 1 {
					t.Errorf("%d questions", n)
				}
				time.Sleep(e.TTL)
				b.wantErr("www.example", Want{V4: true}, tt.want, true)
				if n := b.servers[0].questions(); n != 2 {
					t.Errorf("%d questions after the lifetime", n)
				}
			})
		})
	}
	// What may be better soon is kept for a moment only, and what is our own fault not at all.
	inBed(t, 1, code(dns.RcodeServerFailure), nil, func(t *testing.T, b *bed) {
		b.wantErr("www.example", Want{V4: true}, ErrServer, false)
		b.servers[0].setHandler(always(good))
		b.wantErr("www.example", Want{V4: true}, ErrServer, false)
		time.Sleep(keepFailure)
		b.wantAddrs("www.example", Want{V4: true}, good)
	})
}

// A flood of names takes bounded memory, and those in use stay cached.
func TestFloodOfNames(t *testing.T) {
	const names, cached = 10000, 500
	mod := func(c *Config) { c.MaxCached, c.MaxInflight, c.MaxQueued = cached, 64, 100 }
	inBed(t, 2, always(good), mod, func(t *testing.T, b *bed) {
		b.wantAddrs("popular.example", Want{V4: true}, good)
		before := heapInUse()
		busy := 0
		label := strings.Repeat("x", 60)
		for i := 0; i < names; {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 500 {
				host := fmt.Sprintf("%d.%s.example", i, label)
				wg.Go(func() {
					if _, err := b.r.Resolve(t.Context(), host, Want{V4: true}); errors.Is(err, ErrBusy) {
						mu.Lock()
						defer mu.Unlock()
						busy++
					} else if err != nil {
						t.Errorf("%s: %v", host, err)
					}
				})
				i++
			}
			wg.Wait()
			b.wantAddrs("popular.example", Want{V4: true}, good)
			if n, _ := b.r.Memory(); n > cached {
				t.Fatalf("%d answers are cached, want at most %d", n, cached)
			}
		}
		popular := 0
		for _, s := range b.servers {
			for _, x := range s.got() {
				if x.name == "popular.example." {
					popular++
				}
			}
			s.forget()
		}
		if popular != 1 || busy == 0 {
			t.Errorf("%d questions for a name in use, want 1; %d refused", popular, busy)
		}
		n, bytes := b.r.Memory()
		if grown := heapInUse() - before; grown > 2<<20 {
			t.Errorf("the heap has grown by %d bytes; the cache says %d", grown, bytes)
		}
		if n != cached || bytes < cached*100 || bytes > cached*1000 {
			t.Errorf("%d answers of %d bytes", n, bytes)
		}
		if freed := b.r.Shrink(bytes / 2); freed < bytes/2 || freed > bytes/2+1000 {
			t.Errorf("Shrink(%d) = %d", bytes/2, freed)
		}
		b.r.Shrink(1 << 40)
		if n, bytes := b.r.Memory(); n != 0 || bytes != 0 {
			t.Errorf("%d answers of %d bytes are left", n, bytes)
		}
	})
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Run forgets what has expired although nobody asks any more.
func TestForgets(t *testing.T) {
	inBed(t, 1, always(good), func(c *Config) { c.NoHijackTest = true }, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		b.wantAddrs("www.example", Want{V4: true}, good)
		time.Sleep(maxTTL + fuzzTTL + houseInterval)
		if n, bytes := b.r.Memory(); n != 0 || bytes != 0 {
			t.Errorf("%d answers of %d bytes are left", n, bytes)
		}
	})
}

// The cache agrees with a map that never expires anything by itself.
func TestCacheModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := newCache(20)
	type want struct {
		out     outcome
		expires time.Time
	}
	model := map[question]want{}
	now := time.Unix(0, 0)
	for i := range 20000 {
		now = now.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
		q := question{fmt.Sprint(rng.IntN(40)), uint16(rng.IntN(2))}
		if rng.IntN(2) == 0 {
			out := outcome{ttl: time.Duration(i), keep: time.Duration(rng.IntN(20)) * time.Second}
			c.put(q, out, now)
			model[q] = want{out, now.Add(out.keep)}
			if out.keep == 0 {
				delete(model, q)
			}
		} else if out, ok := c.get(q, now); ok {
			if w, known := model[q]; !known || w.out.ttl != out.ttl || !now.Before(w.expires) {
				t.Fatalf("step %d: got %+v, want %+v at %v", i, out, w, now)
			}
		}
		size := 0
		for _, e := range c.entries {
			size += e.size()
		}
		if len(c.entries) > 20 || c.recent.Len() != len(c.entries) || len(c.expiry) != len(c.entries) || c.bytes != size {
			t.Fatalf("step %d: %d entries, %d in use, %d to expire, %d bytes", i, len(c.entries), c.recent.Len(), len(c.expiry), c.bytes)
		}
	}
}
