package stats

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

const day = 24 * time.Hour

// How old the end of a day may be, and how far in the future, for it to be published (load_stats_file in C tor).
const (
	maxAge   = 25 * time.Hour
	maxAhead = time.Hour
)

// A daily is a statistic that is counted for a day, and published in the one after.
//
//	idle → waiting for the moment to begin → counting → counting, a day later
type daily struct {
	file     string // below the state directory; empty: not kept
	keywords string // of its lines; the first tells the end of the day
	wanted   func(*Config) bool
	first    func(now time.Time) time.Time // when to begin; nil: at once
	counter  counter

	start    time.Time // of the day; zero: idle
	counting bool

	// Under Stats.mu:
	text  []byte    // the lines of the day before; nil if none
	ended time.Time // the end of that day
}

// A counter counts what a daily publishes.
type counter interface {
	// reset counts from nothing; the zero time stops it.
	reset(start time.Time)

	// take writes what has been counted, and begins the next day.
	take(e *netdoc.Encoder, start, end time.Time)
}

func (s *Stats) dailies() []*daily {
	hidServ := func(c *Config) bool { return !c.NoHidServ }
	return []*daily{
		{
			file:     "stats/dirreq-stats",
			keywords: "dirreq-stats-end dirreq-v3-ips dirreq-v3-reqs dirreq-v3-resp dirreq-v3-direct-dl dirreq-v3-tunneled-dl",
			wanted:   func(c *Config) bool { return !c.NoDirReq && c.Countries != nil }, counter: &s.dirRequests,
		},
		{
			file:     "stats/hidserv-stats",
			keywords: "hidserv-stats-end hidserv-rend-relayed-cells hidserv-dir-onions-seen", wanted: hidServ, counter: &s.hidServ2,
		},
		{
			file:     "stats/hidserv-v3-stats",
			keywords: "hidserv-v3-stats-end hidserv-rend-v3-relayed-cells hidserv-dir-v3-onions-seen", wanted: hidServ,
			first: nextNoon, counter: &s.hidServ3,
		},
		{
			file: "stats/entry-stats", keywords: "entry-stats-end entry-ips",
			wanted: func(c *Config) bool { return c.Entry && c.Countries != nil }, counter: &s.clients,
		},
		{
			file:     "stats/buffer-stats",
			keywords: "cell-stats-end cell-processed-cells cell-queued-cells cell-time-in-queue cell-circuits-per-decile",
			wanted:   func(c *Config) bool { return c.Cells }, counter: &s.circuits,
		},
		{
			file: "stats/exit-stats", keywords: "exit-stats-end exit-kibibytes-written exit-kibibytes-read exit-streams-opened",
			wanted: func(c *Config) bool { return c.ExitPorts }, counter: &s.exitPorts,
		},
		{
			file: "stats/conn-stats", keywords: "conn-bi-direct ipv6-conn-bi-direct",
			wanted: func(c *Config) bool { return c.Links }, counter: &s.links,
		},
		{keywords: "padding-counts", wanted: func(c *Config) bool { return !c.NoPadding }, counter: &s.padding},
	}
}

// nextNoon is when the next time period of onion services begins. With days like theirs, no service is counted twice for
// having changed its blinded key.
func nextNoon(now time.Time) time.Time { return now.Add(day / 2).Truncate(day).Add(day / 2) }

// begin starts the first day.
func (d *daily) begin(now time.Time) {
	if d.counting {
		d.counter.reset(time.Time{})
	}
	d.start, d.counting = now, false
	if d.first != nil {
		d.start = d.first(now)
	}
	d.count(now)
}

// count starts to count if it is time.
func (d *daily) count(now time.Time) {
	if !d.counting && !now.Before(d.start) {
		d.counting = true
		d.counter.reset(d.start)
	}
}

// Tick ends the days that are over. It returns when to call it again; the zero time is never.
func (s *Stats) Tick(now time.Time) (next time.Time) {
	now = now.Round(0) // days are of the wall clock, which goes on while the machine sleeps
	for _, d := range s.days {
		if d.start.IsZero() {
			continue
		}
		if d.start.Sub(now) > day { // the clock was set back
			d.begin(now)
		}
		d.count(now)
		due := d.start
		if d.counting {
			if now.Sub(d.start) >= day {
				s.turn(d, now)
			}
			due = d.start.Add(day)
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next
}

// turn ends a day and begins the next one.
func (s *Stats) turn(d *daily, now time.Time) {
	cfg := s.cfg.Load()
	if d.counter == &s.circuits && cfg.Circuits != nil {
		for c := range cfg.Circuits() {
			s.circuits.add(c, now)
		}
	}
	e := netdoc.NewEncoder(nil)
	d.counter.take(e, d.start, now)
	d.start = now
	text := mustBytes(e)
	s.publish(d, text, now)
	if d.file == "" || cfg.State == nil {
		return
	}
	if err := cfg.State.WriteWhole(d.file, text); err != nil {
		cfg.Log.Warn("cannot write statistics", "file", d.file, "err", err)
	}
}

// publish makes text what ExtraInfo has of a statistic.
func (s *Stats) publish(d *daily, text []byte, ended time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.text, d.ended = text, ended
}

// end forgets a statistic. Its file stays, as it does in C tor.
func (s *Stats) end(d *daily) {
	d.start, d.counting = time.Time{}, false
	d.counter.reset(time.Time{})
	s.publish(d, nil, time.Time{})
}

// load reads the day that a former run, or C tor, has left.
func (s *Stats) load(d *daily) {
	cfg := s.cfg.Load()
	if d.file == "" || cfg.State == nil {
		return
	}
	text, err := cfg.State.Read(d.file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return
	}
	var ended time.Time
	if err == nil {
		ended, err = check(text, strings.Fields(d.keywords))
	}
	if err != nil {
		cfg.Log.Warn("cannot use statistics of a former day", "file", d.file, "err", err)
		return
	}
	s.publish(d, text, ended)
}

// maxFile bounds a file with statistics, in bytes.
const maxFile = 32 << 10

var (
	errTooLong = errors.New("too long")
	errKeyword = errors.New("unexpected item")
)

// check returns the end of the day that text is about. Text has nothing but items with the keywords, each once, of which it
// must have the first.
func check(text []byte, keywords []string) (ended time.Time, err error) {
	if len(text) > maxFile {
		return ended, errTooLong
	}
	seen := make([]bool, len(keywords))
	for s := netdoc.NewScanner(text, netdoc.Options{}); ; {
		if !s.Next() {
			err = s.Err()
			break
		}
		it := s.Item()
		i := slices.Index(keywords, string(it.Keyword))
		if i < 0 || seen[i] || it.Object.Tag != nil {
			return ended, it.Wrap(errKeyword)
		}
		seen[i] = true
		if i == 0 {
			args := it.Args
			if ended, err = args.Time(); err != nil {
				return ended, it.Wrap(err)
			}
		}
	}
	if err == nil && !seen[0] {
		err = fmt.Errorf("%s: %w", keywords[0], netdoc.ErrMissing)
	}
	return ended, err
}

// fresh returns the lines of the day before, or nil if that is too long ago.
func (s *Stats) fresh(d *daily, now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.text == nil || d.ended.Before(now.Add(-maxAge)) || d.ended.After(now.Add(maxAhead)) {
		return nil
	}
	return d.text
}

// item begins the item of a day.
func item(e *netdoc.Encoder, keyword string, start, end time.Time) *netdoc.Encoder {
	return e.Item(keyword).Time(end).Rest(fmt.Sprintf("(%d s)", end.Unix()-start.Unix()))
}
