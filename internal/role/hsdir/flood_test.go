package hsdir

import (
	"runtime"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
)

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A flood of uploads of all kinds leaves popular descriptors where they are, and takes no more memory than it may, as the garbage
// collector counts it.
func TestUploadFlood(t *testing.T) {
	const (
		most    = 1 << 20
		popular = 20
		flood   = 300
	)
	b := newBed(most)
	b.cfg.Stored = nil
	post := func(text []byte) bool {
		reply := b.Hook(t.Context(), &dircache.Request{From: circuit, Method: "POST", Path: publish, Body: text})
		return reply.Status == 200
	}
	var used [popular][32]byte
	for i := range used {
		var text []byte
		used[i], text = service(t, uint32(i), 10, hsdesc.DefaultLifetime, 15000)
		if !post(text) {
			t.Fatal("a good descriptor is refused")
		}
		for range i + 2 {
			b.lookup(&used[i])
		}
	}
	before := heap()
	var took time.Duration
	stored := 0
	upload := func(text []byte) bool {
		begin := time.Now()
		ok := post(text)
		took += time.Since(begin)
		if ok {
			stored++
		}
		if n := b.Memory(); n > most+int64(len(text))+overhead {
			t.Fatalf("%d bytes of %d", n, most)
		}
		return ok
	}
	last := uint64(0)
	for i := range uint32(flood) {
		switch i % 5 {
		case 0, 1, 2: // of ever new services, as large as can be
			_, text := service(t, 1000+i, 1, hsdesc.DefaultLifetime, 49000)
			upload(text)
		case 3: // of one service, newer and newer, and the one before again
			_, text := service(t, 999, uint64(i), hsdesc.DefaultLifetime, 30000)
			if !upload(text) || upload(text) {
				t.Error("of a version that comes twice, the first is refused or the second is not")
			}
			if _, old := service(t, 999, last, hsdesc.DefaultLifetime, 30000); last > 0 && upload(old) {
				t.Error("an old version is taken")
			}
			last = uint64(i)
		case 4: // of a popular one, which only its service can make
			_, text := service(t, i%popular, 5, hsdesc.DefaultLifetime, 1000)
			if upload(text) {
				t.Error("an old version of a popular one is taken")
			}
			text[len(text)-5] ^= 1
			if upload(text) {
				t.Error("a forged one is taken")
			}
		}
	}
	for i := range used {
		if _, ok := b.lookup(&used[i]); !ok {
			t.Errorf("popular descriptor %d is gone", i)
		}
	}
	b.checkMemory(t)
	after := heap()
	if grown := after - before; grown > most*3/2 {
		t.Errorf("the heap has grown by %d bytes, %d are allowed", grown, most)
	}
	t.Logf("%d uploads, %d of them stored, in %v; the heap has grown by %d KiB of %d", flood*7/5, stored, took, (after-before)>>10, most>>10)
	runtime.KeepAlive(b)
}
