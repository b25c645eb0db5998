package stats

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// model is a history that remembers all.
type model struct {
	start int64
	bytes map[int64]uint64
}

// of returns what an interval has come to until a moment.
func (m *model) of(i, now int64) (b bytesOf) {
	from := m.start + i*interval
	to := min(from+interval, now+1)
	for sec, n := range m.bytes {
		if sec >= from && sec < to {
			b.total += n
		}
		for t := sec; t < sec+window; t++ { // windows that end at t
			if t < from || t >= min(to, now) { // one counts when its last second is over
				continue
			}
			sum := uint64(0)
			for s := t - window + 1; s <= t; s++ {
				sum += m.bytes[s]
			}
			b.most = max(b.most, sum)
		}
	}
	return b
}

func TestHistoryLikeModel(t *testing.T) {
	const start = 1_800_000_000
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 0))
		h, m := newHistory(start), model{start, map[int64]uint64{}}
		sec := int64(start)
		for range 200 {
			switch r.IntN(10) {
			case 0:
				sec += r.Int64N(3 * interval)
			case 1:
				sec += max(0, interval-(sec-start)%interval-5) // near the end of an interval
			default:
				sec += r.Int64N(4)
			}
			n := r.Uint64N(1000)
			h.add(sec, n)
			m.bytes[sec] += n
			if r.IntN(20) == 0 {
				sec += r.Int64N(interval)
				h.advance(sec)
			}
		}
		last := (h.sec - start) / interval
		var want []bytesOf
		for i := max(0, last-kept); i < last; i++ {
			want = append(want, m.of(i, h.sec))
		}
		if !slices.Equal(h.past, want) {
			t.Errorf("seed %d: got %v, want %v", seed, h.past, want)
		}
		if got, want := (bytesOf{h.total, h.most}), m.of(last, h.sec); got != want {
			t.Errorf("seed %d: now got %v, want %v", seed, got, want)
		}
		if want := start + (last+1)*interval; h.end != want {
			t.Errorf("seed %d: end %d, want %d", seed, h.end, want)
		}
	}
}

func TestAddEach(t *testing.T) {
	for _, span := range []int64{0, 1, window, window + 1, 25, interval - 3, interval, interval + 1, 3*interval + 7} {
		a, b := newHistory(1000), newHistory(1000)
		a.add(1005, 77)
		b.add(1005, 77)
		a.addEach(1007, 1007+span, 5)
		for sec := range span {
			b.add(1007+sec, 5)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%d s: got %+v, want %+v", span, a, b)
		}
	}
}

func TestHistoryClock(t *testing.T) {
	const now = 1_800_000_000
	h := newHistory(now)
	h.add(now+100, 5)
	h.add(now+99, 7) // lost
	if h.total != 5 {
		t.Errorf("total %d after the clock went back a second, want 5", h.total)
	}
	h.advance(now + 3*interval)
	h.add(now, 9) // the clock was days ahead
	if h.total != 9 || h.sec != now || h.end != now+interval || len(h.past) != 3 {
		t.Errorf("after the clock was mended: %+v", h)
	}
	h.advance(now + 1000*interval)
	if len(h.past) != kept || h.end != now+1001*interval {
		t.Errorf("after years: %+v", h)
	}
}

func TestObservedNeedsTime(t *testing.T) {
	h := newHistory(0)
	for sec := range int64(20) {
		h.add(sec, 100)
	}
	for _, tt := range []struct {
		minTime int64
		want    uint64
	}{{0, 1000}, {18, 1000}, {19, 0}, {interval, 0}} {
		if got := h.observed(tt.minTime); got != tt.want {
			t.Errorf("after 19 s, with a minimum of %d s: %d, want %d", tt.minTime, got, tt.want)
		}
	}
	h.advance(interval)
	if got := h.observed(interval); got != 1000 {
		t.Errorf("the day after: %d", got)
	}
	h.advance(6 * interval)
	if got := h.observed(0); got != 0 {
		t.Errorf("after six days: %d", got)
	}
}
