package stats

// Of bandwidth, C tor 0.4.9 keeps days (bw_array_st.h; it was hours once).
const (
	interval = 24 * 60 * 60 // seconds over which bytes are added up
	kept     = 5            // intervals that are remembered
	window   = 10           // seconds over which the most is measured
)

// A history remembers how many bytes went one way, and the most that did so in a few seconds (bw_array_t in C tor).
// Moments are in Unix time.
type history struct {
	recent [window]uint64 // bytes of the last seconds, by the second modulo window
	sec    int64          // the last of them
	sum    uint64         // of recent

	total, most uint64 // of this interval: bytes, and the largest sum of seconds that are over
	end         int64  // of this interval
	past        []bytesOf
}

// bytesOf an interval.
type bytesOf struct{ total, most uint64 }

func newHistory(now int64) history { return history{sec: now, end: now + interval} }

// add counts n bytes in a second. What is older than the last second is lost: the clock was set back.
func (h *history) add(sec int64, n uint64) {
	h.advance(sec)
	if sec < h.sec {
		return
	}
	h.recent[sec%window] += n
	h.sum += n
	h.total += n
}

// addEach counts n bytes in each second of a span.
func (h *history) addEach(from, to int64, n uint64) {
	for sec := from; sec < to; sec++ {
		h.add(sec, n)
		if ahead := min(to, h.end) - 1 - sec; sec-from >= window && ahead > 0 { // all of recent is n
			h.most = max(h.most, h.sum)
			h.total += n * uint64(ahead)
			h.sec, sec = h.sec+ahead, sec+ahead
		}
	}
}

// advance lets time go by.
func (h *history) advance(to int64) {
	if h.sec-to > interval { // the clock was far ahead, and has been mended
		h.recent, h.sum = [window]uint64{}, 0
		h.sec, h.end = to, to+interval
	}
	for h.sec < to && h.sum > 0 {
		h.most = max(h.most, h.sum)
		h.sec++
		h.sum -= h.recent[h.sec%window]
		h.recent[h.sec%window] = 0
		if h.sec >= h.end {
			h.commit()
		}
	}
	if h.sec >= to {
		return
	}
	h.sec = to // nothing is left of recent
	if h.sec < h.end {
		return
	}
	h.commit()
	idle := (h.sec - h.end + interval) / interval // intervals without a byte
	h.end += idle * interval
	for range min(idle, kept) {
		h.push(bytesOf{})
	}
}

// commit ends the interval.
func (h *history) commit() {
	h.push(bytesOf{h.total, h.most})
	h.total, h.most = 0, 0
	h.end += interval
}

func (h *history) push(b bytesOf) {
	if len(h.past) == kept {
		h.past = append(h.past[:0], h.past[1:]...)
	}
	h.past = append(h.past, b)
}

// observed returns the most bytes of a window (find_largest_max in C tor). This interval counts if it has been going on for
// minTime seconds.
func (h *history) observed(minTime int64) (most uint64) {
	if h.sec > h.end-interval+minTime {
		most = h.most
	}
	for _, b := range h.past {
		most = max(most, b.most)
	}
	return most
}
