package server

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

func TestServer(t *testing.T) {
	b := newBed(t, nil)
	b.wantHonest("192.0.2.2")
	b.server.cfg.State.Read(func(d *statedoc.Document) {
		if d.Time(onionRotated).IsZero() {
			t.Error("the state file does not say when the onion key was made")
		}
	})
}

// heap returns what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// maxCircuitHeap is how much of the heap an idle circuit may take at a relay and at the client that made it, together.
const maxCircuitHeap = 4096

// TestManyCircuits lets some clients make 100,000 circuits: the relay lives, and they cost no more than they should.
func TestManyCircuits(t *testing.T) {
	total, users := 100_000, 8
	if testing.Short() || raceDetector {
		total = 5000
	}
	b := newBed(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	before := heap()
	var wg sync.WaitGroup
	errs := make([]error, users)
	for i := range users {
		u := b.user("198.51.100." + string(rune('1'+i)))
		wg.Go(func() {
			l, err := u.link(ctx, b)
			for n := 0; n < total/users && err == nil; n++ {
				_, err = circuit.CreateFast(ctx, l, circuit.Options{})
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	circuits := 0
	for _, l := range b.server.links.Links() {
		circuits += l.Circuits()
	}
	if circuits != total/users*users {
		t.Errorf("%d circuits, want %d", circuits, total)
	}
	if each := (heap() - before) / int64(circuits); each > maxCircuitHeap {
		t.Errorf("%d bytes a circuit", each)
	} else {
		t.Logf("%d bytes a circuit, its client's part included", each)
	}
	b.wantHonest("192.0.2.2")
}

// TestCreateFlood sends handshakes far faster than they can be answered. All get an answer, most a refusal for want of
// resources, and somebody who sends one gets his circuit although handshakes may wait for long: links have their turns.
func TestCreateFlood(t *testing.T) {
	b := newBed(t, func(c *Config) { c.QueueDelay = time.Minute })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	l, err := b.user("198.51.100.1").link(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	hop, results := b.hop(), make(chan error, 4000)
	for range cap(results) {
		go func() {
			_, err := circuit.Create(ctx, l, hop, circuit.Options{})
			results <- err
		}()
	}
	b.wantHonest("192.0.2.2")
	var made, refused int
	for range cap(results) {
		err := <-results
		var closed *circuit.PeerClosedError
		switch {
		case err == nil:
			made++
		case errors.As(err, &closed) && closed.Reason == cell.DestroyResourceLimit:
			refused++
		default:
			t.Fatal(err)
		}
	}
	if made == 0 {
		t.Error("no handshake was answered")
	}
	t.Logf("%d circuits made, %d refused", made, refused)
}

// TestManyConnections keeps more connections open than the relay takes, none of which says a word.
func TestManyConnections(t *testing.T) {
	const limit = 10_000
	b := newBed(t, func(c *Config) { c.MaxConns = limit + 1 })
	before := heap()
	host := b.user("198.51.100.1").host
	for i := range limit {
		c, err := host.Dial(t.Context(), "tcp", serverAddr.String())
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer c.Close()
	}
	for b.server.conns.Load() < limit {
		runtime.Gosched()
	}
	t.Logf("%d bytes a silent connection", (heap()-before)/limit)
	b.wantHonest("192.0.2.2")
	// One more is one too many; and when those before have gone, there is room again.
	extra, err := host.Dial(t.Context(), "tcp", serverAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
}
