package stats

import (
	"errors"
	"log/slog"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// The keys of a history in the state file are BWHistory, its name, and one of these. Values and Maxima have a number for each
// interval up to Ends, of which the last may not be over: bytes, and bytes per second.
const (
	keyPrefix   = "BWHistory"
	keyEnds     = "Ends"
	keyInterval = "Interval" // seconds
	keyValues   = "Values"
	keyMaxima   = "Maxima"
)

// Save writes the bandwidth history into the state file. C tor does so every two hours, and when it exits.
func (s *Stats) Save(doc *statedoc.Document, now time.Time) {
	b := &s.bandwidth
	b.mu.Lock()
	defer b.mu.Unlock()
	for f := range flows {
		h := &b.histories[f]
		h.advance(now.Unix())
		var values, maxima []string
		for _, p := range append(h.past[:len(h.past):len(h.past)], bytesOf{h.total, h.most}) {
			values = append(values, strconv.FormatUint(kilobytes(p.total), 10))
			maxima = append(maxima, strconv.FormatUint(kilobytes(p.most/window), 10))
		}
		key := keyPrefix + flowNames[f].key
		doc.SetTime(key+keyEnds, time.Unix(h.end, 0))
		doc.SetInt(key+keyInterval, interval)
		doc.Set(key+keyValues, strings.Join(values, ","))
		doc.Set(key+keyMaxima, strings.Join(maxima, ","))
	}
}

// load takes the histories of a state file. What is malformed is left out.
func (b *bandwidth) load(doc *statedoc.Document, now int64, log *slog.Logger) {
	for f := range flows {
		key := keyPrefix + flowNames[f].key
		saved, err := parseSaved(doc, key)
		if err != nil {
			log.Warn("cannot use the bandwidth history of the state file", "key", key, "err", err)
			continue
		}
		if h, ok := saved.history(now); ok {
			b.histories[f] = h
		}
	}
}

// saved is a history in the state file.
type saved struct {
	ends, interval int64
	values, maxima []uint64 // maxima are in bytes per second; nil if not known
}

const (
	maxSaved    = 1000    // values; C tor's files had some hundred in days of short intervals
	maxInterval = 1 << 30 // seconds
)

var errInterval = errors.New("impossible interval")

func parseSaved(doc *statedoc.Document, key string) (s saved, err error) {
	if s.values, err = parseList(doc, key+keyValues); err != nil {
		return s, err
	}
	if s.maxima, err = parseList(doc, key+keyMaxima); err != nil {
		return s, err
	}
	if len(s.maxima) != len(s.values) {
		s.maxima = nil
	}
	if len(s.values) == 0 {
		return s, nil
	}
	s.ends, s.interval = doc.Time(key+keyEnds).Unix(), doc.Int(key+keyInterval)
	if s.interval < 1 || s.interval > maxInterval {
		return s, errInterval
	}
	return s, nil
}

func parseList(doc *statedoc.Document, key string) (list []uint64, err error) {
	text, _ := doc.Get(key)
	for field := range strings.SplitSeq(text, ",") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil, err
		}
		if len(list) == maxSaved {
			return nil, errTooLong
		}
		list = append(list, n)
	}
	return list, nil
}

// history relives what was saved (bwhist_load_bwhist_state_section in C tor). It is not ok if that is too old, or of the
// future.
func (s *saved) history(now int64) (h history, ok bool) {
	start := s.ends - s.interval*int64(len(s.values))
	if len(s.values) == 0 || s.ends < now-kept*interval || start > now {
		return h, false
	}
	// What is older than all that will be remembered only decides at which time of the day intervals begin.
	oldest := start + max(0, now-(kept+1)*interval-start)/interval*interval
	h = newHistory(oldest)
	for i, total := range s.values {
		from := start + int64(i)*s.interval
		to := max(min(from+s.interval, now), from+1)
		if from > now || to <= oldest {
			continue
		}
		h.add(from, total%uint64(to-from))
		h.addEach(max(from, oldest), to, total/uint64(to-from))
		rate := total / uint64(s.interval)
		if s.maxima != nil {
			rate = s.maxima[i]
		}
		h.most = times(rate, window)
	}
	h.recent, h.sum = [window]uint64{}, 0
	return h, true
}

// times does not overflow.
func times(a, b uint64) uint64 {
	if high, low := bits.Mul64(a, b); high == 0 {
		return low
	}
	return 1<<64 - 1
}
