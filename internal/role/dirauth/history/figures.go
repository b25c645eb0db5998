package history

import "time"

// Figures are what is known of a relay at a moment. All are zero for one that was never tested.
type Figures struct {
	MTBF      float64       // mean time between failures, in seconds
	WFU       float64       // weighted fractional uptime, 0 to 1
	TimeKnown time.Duration // weighted; whole seconds
	Uptime    time.Duration // of the present run; 0 if it is down
}

// Figures returns the figures of a relay.
func (h *History) Figures(id [20]byte, now time.Time) (f Figures) {
	r := h.routers[id]
	if r == nil {
		return f
	}
	length, weights, up, total := r.runLength, r.runWeights, r.uptime, r.total
	switch {
	case r.runStart != 0: // as if it ended now
		run := now.Unix() - r.runStart
		length, weights, up, total = length+run, weights+1, up+run, total+run
		f.Uptime = time.Duration(max(run, 0)) * time.Second
	case r.downStart != 0:
		total += now.Unix() - r.downStart
	}
	if weights >= epsilon {
		f.MTBF = float64(length) / weights
	}
	if total != 0 {
		f.WFU = float64(up) / float64(total)
	}
	f.TimeKnown = time.Duration(total) * time.Second
	return f
}

// Enough tells whether relays have been watched for long enough to judge them by their MTBF.
func (h *History) Enough(now time.Time) bool { return h.since < now.Add(-enoughTracked).Unix() }
