package hsservice

import (
	"slices"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newQueue(p *PoW) *queue[int] {
	q := new(queue[int])
	q.setRate(p)
	return q
}

func drain(q *queue[int], now time.Time) (list []int) {
	for {
		c, ok := q.pop(now)
		if !ok {
			return list
		}
		list = append(list, c)
	}
}

func TestQueueOrder(t *testing.T) {
	q := newQueue(nil)
	for i, effort := range []uint32{5, 0, 7, 5, 0, 9, 7} {
		q.push(i, effort, epoch)
	}
	if got, want := drain(q, epoch), []int{5, 2, 6, 0, 3, 1, 4}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i := range 100 {
		q.push(i, 0, epoch)
	}
	if got := drain(q, epoch); !slices.IsSorted(got) || len(got) != 100 {
		t.Errorf("those of equal effort come as %v", got)
	}
}

func TestQueueAge(t *testing.T) {
	q := newQueue(nil)
	q.push(1, 9, epoch)
	q.push(2, 0, epoch.Add(10*time.Second))
	if got, want := drain(q, epoch.Add(maxAge+time.Second)), []int{2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestQueueTrim(t *testing.T) {
	q := newQueue(&PoW{Rate: 1, Burst: 40}) // 100 at most
	for i := range 100 {
		q.push(i, uint32(i), epoch)
	}
	if len(q.heap) != 50 || q.effort.trimmed != 49 {
		t.Errorf("%d are left, and the best that went had made %d", len(q.heap), q.effort.trimmed)
	}
	if c, _ := q.pop(epoch); c != 99 {
		t.Errorf("the best one left is %d", c)
	}
	if low, high := newQueue(&PoW{Rate: 250, Burst: 2500}).low, newQueue(&PoW{Rate: 250, Burst: 2500}).high; low != 62 || high != 17500 {
		t.Errorf("bounds %d and %d", low, high)
	}
	if q := newQueue(&PoW{}); q.low != defaultLow || q.high != defaultHigh {
		t.Errorf("without a rate, bounds %d and %d", q.low, q.high)
	}
}

// The figures are those of C tor's update_suggested_effort.
func TestEffort(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  effort
		waiting []uint32
		want    uint32
	}{
		{"nothing happens", effort{}, nil, 0},
		{"decrease", effort{suggested: 100}, nil, 66},
		{"decrease of the most", effort{suggested: 1<<32 - 1}, nil, 2863311530},
		{"decrease to nothing", effort{suggested: 1}, nil, 0},
		{"busy, and empty now", effort{suggested: 100, busy: true}, nil, 100},
		{"busy with cheap ones", effort{suggested: 100, busy: true}, []uint32{99}, 100},
		{"busy", effort{suggested: 100, busy: true, handled: 10, total: 2000}, []uint32{100}, 200},
		{"busy, little effort", effort{suggested: 100, busy: true, handled: 10, total: 10}, []uint32{100}, 101},
		{"trimmed before any was handled", effort{suggested: 100, trimmed: 101}, nil, 101},
		{"trimmed with less effort", effort{suggested: 100, trimmed: 100}, nil, 66},
		{"at the most", effort{suggested: 1<<32 - 1, busy: true, handled: 1, total: 1 << 40}, []uint32{1<<32 - 1}, 1<<32 - 1},
	} {
		q := newQueue(nil)
		for i, e := range tt.waiting {
			q.push(i, e, epoch)
		}
		q.effort = tt.before
		if q.review(); q.effort != (effort{suggested: tt.want}) {
			t.Errorf("%s: %+v, want %d", tt.name, q.effort, tt.want)
		}
	}
}

func TestDiffers(t *testing.T) {
	for _, tt := range []struct {
		published, now uint32
		want           bool
	}{{0, 0, false}, {0, 1, true}, {100, 85, false}, {100, 84, true}, {100, 115, false}, {100, 116, true}, {1<<32 - 1, 1 << 31, true}} {
		if got := differs(tt.published, tt.now); got != tt.want {
			t.Errorf("%d and %d: %v", tt.published, tt.now, got)
		}
	}
}

func TestCookies(t *testing.T) {
	var c cookies
	if c.repeated([20]byte{1}, epoch) || !c.repeated([20]byte{1}, epoch) || c.repeated([20]byte{2}, epoch) {
		t.Error("cookies are not told apart")
	}
	if !c.repeated([20]byte{2}, epoch.Add(cookieMemory)) {
		t.Error("forgotten too soon")
	}
	if c.repeated([20]byte{1}, epoch.Add(2*cookieMemory)) {
		t.Error("remembered for too long")
	}
	for i := range maxCookies + 10 {
		c.repeated([20]byte{byte(i), byte(i >> 8), byte(i >> 16), 7}, epoch)
	}
	if n := len(c.new) + len(c.old); n > 2*maxCookies {
		t.Errorf("%d cookies are remembered", n)
	}
}

func TestProxyHeader(t *testing.T) {
	if got, want := string(proxyHeader(0x1234_0007, 80)), "PROXY TCP6 fc00:dead:beef:4dad::1234:7 ::1 7 80\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
