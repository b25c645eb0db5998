package hsservice

import (
	"testing"
	"time"
)

// Clients are met as soon as the rate lets them be, and not later: whoever has paid waits for no more than that.
func TestTakeToken(t *testing.T) {
	s, p := new(Service), &PoW{Rate: 4, Burst: 8}
	now := time.Now()
	for i := range p.Burst {
		if wait := s.takeToken(p, now); wait != 0 {
			t.Fatalf("client %d of the burst waits for %v", i, wait)
		}
	}
	for range 10 {
		wait := s.takeToken(p, now)
		if want := time.Second / 4; wait <= want-2*queueLull || wait > want+queueLull {
			t.Errorf("a wait of %v, want %v", wait, want)
		}
		now = now.Add(wait)
		for wait = s.takeToken(p, now); wait != 0; wait = s.takeToken(p, now) { // of what rounding has cut off
			if wait > queueLull {
				t.Fatalf("and %v more", wait)
			}
			now = now.Add(wait)
		}
	}
	if wait := s.takeToken(&PoW{}, now); wait != 0 {
		t.Errorf("without a rate, a wait of %v", wait)
	}
}
