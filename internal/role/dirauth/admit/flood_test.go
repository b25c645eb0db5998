package admit_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
)

// forged are descriptors with wrong signatures, which are all different and take as long to check as good ones.
func forged(text []byte, n int) []byte {
	return bytes.Replace(text, []byte("\nuptime 0\n"), fmt.Appendf(nil, "\nuptime %d\n", n+1), 1)
}

// sourceOf returns one of many addresses.
func sourceOf(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}) }

// TestFlood uploads 10,000 documents in a minute. What of them is checked is bounded, by sources and all together; so are time
// and memory. A relay that is known gets through all the same. The limits are a fifth of the real ones, for the sake of the
// race detector.
func TestFlood(t *testing.T) {
	const n = 10000
	good := newRelay()
	text := good.publish(now.Add(-3 * time.Hour))
	for _, tt := range []struct {
		name    string
		from    func(i int) netip.Addr
		body    func(i int) []byte
		checked int // at most
	}{
		{"one source", func(int) netip.Addr { return from }, func(i int) []byte { return forged(text, i) }, 100 + 60},
		{"many sources", sourceOf, func(i int) []byte { return forged(text, i) }, 400 + 10*60},
		{"many in an upload", sourceOf, func(i int) []byte {
			if i%50 > 0 {
				return nil
			}
			var body []byte
			for j := range 50 {
				body = append(body, forged(text, i+j)...)
			}
			return body
		}, 400 + 10*60},
		{"replayed", func(int) netip.Addr { return from }, func(int) []byte { return text }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegistry(t, func(c *admit.Config) {
				c.Limits = admit.Limits{SourceRate: 1, SourceBurst: 100, StrangerRate: 10, StrangerBurst: 400}
			})
			home := netip.MustParseAddr("192.0.2.1")
			if res := r.Upload(home, text, now); len(res.Routers) != 1 {
				t.Fatalf("got %+v", res)
			}
			before := heap()
			start, worst := time.Now(), time.Duration(0)
			checked, busy := 0, 0
			for i := range n {
				body := tt.body(i)
				if body == nil {
					continue
				}
				one := time.Now()
				res := r.Upload(tt.from(i), body, now.Add(time.Duration(i)*time.Minute/n))
				worst = max(worst, time.Since(one))
				if len(res.Routers) > 0 {
					t.Fatal("a forged descriptor is taken")
				}
				if res.Status == 503 {
					busy++
				}
				for _, f := range res.Refusals {
					if f.Err != nil {
						checked++
					}
				}
			}
			took, grown := time.Since(start), int64(heap()-before)
			t.Logf("%d checked, %d uploads refused; %v, the longest %v; %d KB more memory", checked, busy, took, worst, grown>>10)
			if checked > tt.checked || tt.checked > 0 && busy == 0 {
				t.Errorf("%d checked, at most %d", checked, tt.checked)
			}
			if took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			if grown > 4<<20 {
				t.Errorf("memory grew by %d KB", grown>>10)
			}
			update := good.publish(now.Add(-time.Minute))
			if res := r.Upload(home, update, now.Add(time.Minute)); len(res.Routers) != 1 {
				t.Errorf("an honest relay: got %+v", res)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Once there are too many relays, those that are here go on, and no others come.
func TestFull(t *testing.T) {
	a, b := newRelay(), newRelay()
	text := a.publish(now.Add(-3 * time.Hour))
	r := newRegistry(t, func(c *admit.Config) { c.Limits.HeldBytes = len(text) + 2000 })
	for _, s := range []step{
		{name: "first", body: text, status: 200, reason: "[None]"},
		{name: "second", body: b.publish(now), status: 503, reason: "This authority knows too many relays."},
		{name: "first, longer", body: a.publish(now, platform("Tor 0.4.9.12-something on Linux")), status: 200, reason: "[None]"},
	} {
		if res := r.Upload(from, s.body, now); res.Status != s.status || !bytes.HasPrefix([]byte(res.Reason), []byte(s.reason)) {
			t.Errorf("%s: got %d %s", s.name, res.Status, res.Reason)
		}
	}
	if len(r.Upload(from, b.publish(now), now).Pins) > 0 {
		t.Error("a relay is pinned that is not taken")
	}
	// A line stands for ten rules.
	many := b.resign(b.publish(now), "\nreject *:*\n", strings.Repeat("\nreject private:1", 100)+"\nreject *:*\n")
	r = newRegistry(t, func(c *admit.Config) { c.Limits.HeldBytes = len(many) + 30000 })
	if res := r.Upload(from, many, now); res.Status != 503 {
		t.Errorf("many rules: got %d %s", res.Status, res.Reason)
	}
}

// Uploads come from many goroutines.
func TestParallel(t *testing.T) {
	r := newRegistry(t, nil)
	relays := []*relay{newRelay(), newRelay(), newRelay(), newRelay()}
	done := make(chan int)
	for i, a := range relays {
		go func() {
			n := 0
			for j := range 5 {
				n += len(r.Upload(sourceOf(i), a.publish(now.Add(time.Duration(j)*time.Minute), platform(fmt.Sprint(j))), now).Routers)
				for range r.Routers() {
				}
			}
			done <- n
		}()
	}
	for range relays {
		if n := <-done; n != 5 {
			t.Errorf("got %d of 5", n)
		}
	}
}

// FuzzUpload looks for panics, and for a relay that comes out of a text that nobody signed.
func FuzzUpload(f *testing.F) {
	recorded, err := os.ReadFile(recordedFile) // fuzzing workers would make other keys
	if err != nil {
		f.Fatal(err)
	}
	f.Add(recorded)
	f.Add(join([]byte("junk\n@n\n"), recorded))
	f.Add(damage(recorded))
	f.Add([]byte("router \nrouter-signature\n-----END SIGNATURE-----\nextra-info \nrouter-signature"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newRegistry(t, func(c *admit.Config) { c.AllowPrivate = true })
		for range 2 {
			res := r.Upload(from, body, recordedAt)
			for _, is := range res.Routers {
				if !bytes.Contains(recorded, is.Descriptor.Text) {
					t.Errorf("took %q", is.Descriptor.Text)
				}
			}
			if res.Status != 200 && res.Status != 400 && res.Status != 503 {
				t.Errorf("got status %d", res.Status)
			}
		}
	})
}

func BenchmarkUpload(b *testing.B) {
	text := newRelay().publish(now)
	b.Run("checked", func(b *testing.B) {
		b.ReportAllocs()
		unlimited := admit.Limits{SourceRate: 1 << 30, SourceBurst: 1 << 30, StrangerRate: 1 << 30, StrangerBurst: 1 << 30}
		r := newRegistry(b, func(c *admit.Config) { c.Limits = unlimited })
		for i := 0; b.Loop(); i++ {
			r.Upload(from, forged(text, i), now)
		}
	})
	b.Run("replayed", func(b *testing.B) {
		b.ReportAllocs()
		r := newRegistry(b, nil)
		for b.Loop() {
			r.Upload(from, text, now)
		}
	})
}
