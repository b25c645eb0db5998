package relay

import (
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
)

// One who sends many handshakes does not delay one who sends a few, and leaves places for it.
func TestQueueTurns(t *testing.T) {
	q := newQueue(80)
	flood, honest := new(link.Link), new(link.Link)
	at := func(second int) job { return job{since: time.Unix(int64(second), 0)} }
	for i := range 11 {
		if ok := q.put(flood, at(i)); ok != (i < 10) {
			t.Fatalf("handshake %d of the flood: taken %v", i, ok)
		}
	}
	for i := 20; i < 22; i++ {
		if !q.put(honest, at(i)) {
			t.Fatalf("handshake %d has no place", i)
		}
	}
	var order []int64
	for len(q.jobs) > 0 {
		<-q.jobs
		order = append(order, q.take().since.Unix())
	}
	want := []int64{0, 20, 1, 21, 2, 3, 4, 5, 6, 7, 8, 9}
	if !slices.Equal(order, want) {
		t.Errorf("took %v, want %v", order, want)
	}
	if len(q.lines) != 0 || len(q.turns) != 0 {
		t.Errorf("%d lines and %d turns of an empty queue", len(q.lines), len(q.turns))
	}
}
