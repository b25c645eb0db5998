package dircache

import (
	"crypto/rand"
	"runtime"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// BenchmarkFill fills a cache with a network of the size of the public one, consensuses on disk, and tells how much memory
// that takes: MB for one descriptor of each relay, for microdescriptors, and for consensuses of both flavors with a diff each,
// not counting the texts of the consensuses, 7 MB.
func BenchmarkFill(b *testing.B) {
	const relays = 9000
	mds := chain(consensus.Microdesc, relays, 2, validAfter)
	ns := chain(consensus.NS, relays, 2, validAfter)
	text := make([]byte, 2700) // as long as a descriptor with one family member is
	rand.Read(text)
	now := testNow
	for b.Loop() {
		c := NewCache(CacheConfig{Env: testEnv(&now), Disk: new(diskless)})
		last := heapMB()
		note := func(unit string) {
			h := heapMB()
			b.ReportMetric(h-last, unit)
			last = h
		}
		for i := range relays {
			id := [20]byte{byte(i), byte(i >> 8)}
			c.AddDescriptor(&routerdesc.Descriptor{RSA: id, Digest: id, Published: now, Text: text})
		}
		note("descriptors-MB")
		for _, md := range mds[0].Microdescs {
			c.AddMicrodescs([]microdesc.Entry{{Text: md}})
		}
		note("microdescs-MB")
		for i := range ns {
			set(b, c, ns[i])
			set(b, c, mds[i])
			for c.Work() {
			}
		}
		note("consensuses-MB")
		runtime.KeepAlive(c)
	}
}

// diskless is a disk that is always full, but says nothing: what is written to it is gone.
type diskless struct{ statefile.Mem }

func (*diskless) WriteWhole(string, []byte) error { return nil }

func heapMB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}
