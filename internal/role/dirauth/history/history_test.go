package history

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	addr1 = netip.MustParseAddrPort("192.0.2.1:9001")
	addr2 = netip.MustParseAddrPort("192.0.2.1:9002")
	relay = [20]byte{1}
)

// after is a moment, in seconds after start.
func after(s int64) time.Time { return start.Add(time.Duration(s) * time.Second) }

// step is something that happens to the relay.
type step struct {
	at int64 // seconds after start
	do func(h *History, now time.Time)
}

func up(h *History, now time.Time)    { h.Reachable(relay, addr1, time.Hour, now) }
func moved(h *History, now time.Time) { h.Reachable(relay, addr2, time.Hour, now) }
func down(h *History, now time.Time)  { h.Unreachable(relay, now, now) }
func sybil(h *History, now time.Time) { h.Disown(relay, now) }
func fade(h *History, now time.Time)  { h.Fade(now) }
func downSince(ago int64) func(h *History, now time.Time) {
	return func(h *History, now time.Time) { h.Unreachable(relay, now.Add(-time.Duration(ago)*time.Second), now) }
}
func gone(h *History, now time.Time) { h.Retain(func([20]byte) bool { return false }, now) }

// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
func TestFigures(t *testing.T) {
	const day = 86400
	for _, tc := range []struct {
		name         string
		steps        []step
		at           int64
		mtbf, wfu    float64
		known, since int64 // seconds
	}{
		{"unknown", nil, 10, 0, 0, 0, 0},
		{"running", []step{{0, up}}, 100, 100, 1, 100, 100},
		{"reached again", []step{{0, up}, {50, up}}, 100, 100, 1, 100, 100},
		{"down", []step{{0, up}, {60, down}}, 100, 60, 0.6, 100, 0},
		{"down before it was noticed", []step{{0, up}, {60, downSince(20)}}, 100, 40, 0.4, 100, 0},
		{"down twice", []step{{0, up}, {60, down}, {80, down}}, 100, 60, 0.6, 100, 0},
		{"up again", []step{{0, up}, {60, down}, {80, up}}, 100, 40, 0.8, 100, 20},
		{"never up", []step{{0, down}}, 100, 0, 0, 100, 0},
		{"down, then up", []step{{0, down}, {40, up}}, 100, 60, 0.6, 100, 60},
		{"moved", []step{{0, up}, {10000, moved}}, 11000, (6400 + 1000) / 2, 7400. / 11000, 11000, 1000},
		{"moved soon", []step{{0, up}, {100, moved}}, 200, 50, 100. / 3700, 3700, 100},
		{"moved while down", []step{{0, up}, {60, down}, {80, moved}}, 100, 40, 0.8, 100, 20},
		{"run that ends before it began", []step{{0, up}, {60, down}, {80, up}, {90, downSince(30)}}, 100, 20, 40. / 120, 120, 0},
		{"sybil", []step{{0, up}, {60, sybil}}, 100, 0, 0, 100, 0},
		{"not known any more", []step{{0, up}, {60, gone}}, 100, 60, 0.6, 100, 0},
		{"faded once", []step{{0, fade}, {0, up}, {40000, down}, {day / 2, fade}}, day / 2, 40000, 38000. / (38000 + 3200), 41200, 0},
		{"faded twice", []step{{0, fade}, {0, up}, {40000, down}, {day, fade}}, day, 40000, 36100. / (36100 + 46400), 82500, 0},
		{"not faded yet", []step{{0, fade}, {0, up}, {100, down}, {day/2 - 1, fade}}, day/2 - 1, 100, 100. / (day/2 - 1), day/2 - 1, 0},
		{"fading spares the run", []step{{0, fade}, {0, up}, {day, fade}}, day, day, 1, day, day},
		{"clock set back", []step{{100, up}}, 50, -50, 1, -50, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := New()
			for _, s := range tc.steps {
				s.do(h, after(s.at))
			}
			f := h.Figures(relay, after(tc.at))
			if math.Abs(f.MTBF-tc.mtbf) > 1e-6 || math.Abs(f.WFU-tc.wfu) > 1e-9 || seconds(f.TimeKnown) != tc.known || seconds(f.Uptime) != tc.since {
				t.Errorf("got %+v, want MTBF %v, WFU %v, known for %d s, up for %d s", f, tc.mtbf, tc.wfu, tc.known, tc.since)
			}
		})
	}
}

func TestFade(t *testing.T) {
	h := New()
	if next := h.Fade(start); next != start.Add(interval).Local() && !next.Equal(start.Add(interval)) {
		t.Errorf("next: got %v", next)
	}
	down(h, start)
	up(h, after(10))
	down(h, after(20))
	h.Reachable([20]byte{2}, addr1, 0, start)
	n := 0
	for now := start; len(h.routers) == 2; n++ {
		now = h.Fade(now)
	}
	// 0.95 to the power of 180 is less than 0.0001.
	if n < 180 || n > 182 || h.routers[[20]byte{2}] == nil {
		t.Errorf("forgotten after %d intervals", n)
	}
	if !h.Fade(start).After(after(90 * 86400)) {
		t.Error("a clock that is set back makes it fade again")
	}
}

func TestEnough(t *testing.T) {
	h := New()
	if !h.Enough(start) { // as C tor: who tests no relays takes their word for nothing
		t.Error("without tracking")
	}
	up(h, start)
	if h.Enough(after(4*3600)) || !h.Enough(after(4*3600+1)) {
		t.Error("not four hours after tracking began")
	}
}
