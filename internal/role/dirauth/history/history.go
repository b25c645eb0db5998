package history

import (
	"net/netip"
	"time"
)

// How the past fades.
const (
	alpha         = 0.95           // what is left after each interval
	interval      = 12 * time.Hour // STABILITY_INTERVAL
	epsilon       = 0.0001         // of run weights: less counts as none
	enoughTracked = 4 * time.Hour  // until MTBF means something
)

// Penalties of a relay whose address changed, if there is no consensus to tell how long clients take to learn of it.
const (
	Penalty        = time.Hour
	TestingPenalty = 4 * time.Minute // in test networks
)

// History is what an authority remembers of relays. It is not safe for concurrent use. Moments are by the wall clock, in whole
// seconds.
type History struct {
	routers   map[[20]byte]*router
	since     int64 // when tracking began; Unix time, 0 if it did not
	downrated int64 // when the past last faded; 0 if not known
}

// router is the history of a relay. Times are Unix times, 0 for none; amounts are in seconds.
type router struct {
	runStart, downStart int64 // of the run or downtime that lasts
	runLength           int64 // weighted sum of the runs before it
	runWeights          float64
	uptime, total       int64 // weighted

	reached netip.AddrPort // where it was last reached
}

// New returns an empty history.
func New() *History { return &History{routers: map[[20]byte]*router{}} }

func (h *History) router(id [20]byte, now time.Time) *router {
	if h.since == 0 {
		h.since = now.Unix()
	}
	r := h.routers[id]
	if r == nil {
		r = new(router)
		h.routers[id] = r
	}
	return r
}

// Reachable notes that a relay was reached at an address. Another address than before counts as a downtime of penalty: half
// the time from valid-after to fresh-until and half of that to valid-until of the consensus, or [Penalty].
func (h *History) Reachable(id [20]byte, at netip.AddrPort, penalty time.Duration, now time.Time) {
	r := h.router(id, now)
	moved := r.reached.IsValid() && at != r.reached
	r.reached = at
	if r.downStart == 0 && moved {
		if r.runStart == 0 {
			r.runStart = now.Unix()
		}
		r.stop(now.Add(-penalty).Unix())
	}
	r.start(now.Unix())
}

// start begins a run, if there is none.
func (r *router) start(when int64) {
	if r.runStart == 0 {
		r.runStart = when
	}
	if r.downStart != 0 {
		r.total += when - r.downStart
		r.downStart = 0
	}
}

// Unreachable notes that a relay has been down since some time, which may be earlier than now.
func (h *History) Unreachable(id [20]byte, since, now time.Time) {
	h.router(id, now).stop(since.Unix())
}

// stop ends the run, if there is one.
func (r *router) stop(when int64) {
	if r.runStart != 0 {
		length := when - r.runStart
		r.runWeights++
		r.runStart = 0
		// A run that ends before it began takes that much from earlier ones.
		r.runLength = max(r.runLength+length, 0)
		r.uptime = max(r.uptime+length, 0)
		r.total += max(length, 0)
	}
	if r.downStart == 0 {
		r.downStart = when
	}
}

// Disown notes that a relay is down and never ran, which is what a Sybil deserves.
func (h *History) Disown(id [20]byte, now time.Time) {
	h.Unreachable(id, now, now)
	r := h.routers[id]
	r.runLength, r.uptime = 0, 0
}

// Retain ends the runs of all relays that are not known any more, as C tor does whenever it saves but at its exit.
func (h *History) Retain(known func(id [20]byte) bool, now time.Time) {
	for id, r := range h.routers {
		if r.runStart != 0 && !known(id) {
			r.stop(now.Unix())
		}
	}
}

// Fade lets the past count less, if it is time to, forgets relays of which nothing is left, and returns when to call it again.
func (h *History) Fade(now time.Time) (next time.Time) {
	if h.downrated == 0 {
		h.downrated = now.Unix()
	}
	left := 1.0
	for h.downrated+seconds(interval) <= now.Unix() {
		h.downrated += seconds(interval)
		left *= alpha
	}
	if left < 1 {
		for id, r := range h.routers {
			r.fade(left)
			if r.runWeights < epsilon && r.runStart == 0 {
				delete(h.routers, id)
			}
		}
	}
	return time.Unix(h.downrated, 0).Add(interval)
}

func (r *router) fade(left float64) {
	r.runLength = int64(float64(r.runLength) * left)
	r.runWeights *= left
	r.uptime = int64(float64(r.uptime) * left)
	r.total = int64(float64(r.total) * left)
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
