package stats

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// noon is the first one after began.
var noon = time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)

func TestNextNoon(t *testing.T) {
	for now, want := range map[string]string{
		"2026-08-20 00:00:00": "2026-08-20 12:00:00", "2026-08-20 11:59:59": "2026-08-20 12:00:00",
		"2026-08-20 12:00:00": "2026-08-21 12:00:00", "2026-12-31 23:59:59": "2027-01-01 12:00:00",
	} {
		at, err := time.Parse(time.DateTime, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextNoon(at.In(time.FixedZone("", 5000))).UTC().Format(time.DateTime); got != want {
			t.Errorf("after %s: %s, want %s", now, got, want)
		}
	}
}

// TestDays follows when days end, and how long they are told of.
func TestDays(t *testing.T) {
	b := newBed(t, nil)
	tick := func(now, wantNext time.Time) {
		t.Helper()
		if next := b.Tick(now); !next.Equal(wantNext) {
			t.Errorf("at %v: next is %v, want %v", now, next, wantNext)
		}
	}
	tick(began, noon) // those of onion services begin then
	b.RendCells(1)    // too early
	tick(noon, began.Add(day))
	tick(began.Add(day-time.Second), began.Add(day))
	b.wantNo(began.Add(day), "dirreq-stats", "hidserv")
	end := began.Add(day)
	tick(end, noon.Add(day))
	b.want(end, "dirreq-stats-end 2026-08-21 03:04:05 (86400 s)", "hidserv-stats-end 2026-08-21 03:04:05 (86400 s)",
		"entry-stats-end 2026-08-21 03:04:05 (86400 s)", "cell-stats-end 2026-08-21 03:04:05 (86400 s)",
		"exit-stats-end 2026-08-21 03:04:05 (86400 s)", "conn-bi-direct 2026-08-21 03:04:05 (86400 s) 0,0,0,0")
	b.wantNo(end, "hidserv-v3")
	late := noon.Add(day + time.Hour) // Tick may be late
	tick(late, end.Add(day))
	b.want(late, "hidserv-v3-stats-end 2026-08-21 13:00:00 (90000 s)",
		"hidserv-rend-v3-relayed-cells 0 delta_f=2048 epsilon=0.30 bin_size=1024")
	b.want(end.Add(25*time.Hour), "dirreq-stats-end 2026-08-21 03:04:05 (86400 s)")
	b.wantNo(end.Add(25*time.Hour+time.Second), "dirreq-stats", "entry")
	b.wantNo(end.Add(-time.Hour-time.Second), "dirreq-stats", "entry")
}

// TestRestart takes over what the day before came to, and only that.
func TestRestart(t *testing.T) {
	b := newBed(t, nil)
	end := began.Add(day)
	b.Tick(end)
	before := b.text(end)
	b.restart(end.Add(time.Hour))
	if got := b.text(end.Add(time.Hour)); got != before || !strings.Contains(got, "conn-bi-direct") {
		t.Errorf("got\n%s, before\n%s", got, before)
	}
	if next := b.Tick(end.Add(time.Hour)); !next.Equal(noon.Add(day)) {
		t.Errorf("next is %v", next)
	}
	b.restart(end.Add(26 * time.Hour))
	b.wantNo(end.Add(26*time.Hour), "dirreq-stats", "conn")
}

func TestSetConfig(t *testing.T) {
	b := newBed(t, func(c *Config) {
		*c = Config{State: c.State, Log: c.Log, Countries: c.Countries, NoDirReq: true, NoHidServ: true, NoPadding: true}
	})
	if next := b.Tick(began.Add(day)); !next.IsZero() {
		t.Errorf("with nothing to count, next is %v", next)
	}
	cfg := b.cfg
	cfg.Links = true
	b.SetConfig(cfg, began.Add(day))
	if next := b.Tick(began.Add(day)); !next.Equal(began.Add(2 * day)) {
		t.Errorf("next is %v", next)
	}
	b.LinkBytes(linkBytes, 0, true)
	b.SetConfig(cfg, began.Add(30*time.Hour)) // nothing changes
	b.Tick(began.Add(2 * day))
	b.want(began.Add(2*day), "ipv6-conn-bi-direct 2026-08-22 03:04:05 (86400 s) 0,1,0,0")
	b.SetConfig(b.cfg, began.Add(2*day))
	b.wantNo(began.Add(2*day), "conn")
	b.SetConfig(cfg, began.Add(2*day)) // the file is still there
	b.want(began.Add(2*day), "conn-bi-direct 2026-08-22 03:04:05 (86400 s) 0,1,0,0")
	cfg.NoExtraInfo = true
	b.SetConfig(cfg, began.Add(2*day))
	if parts := b.ExtraInfo(began.Add(2 * day)); parts != nil {
		t.Errorf("with ExtraInfoStatistics 0: %q", parts)
	}
}

// Without countries, what is counted by them is not.
func TestNoCountries(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Countries = nil })
	if !strings.Contains(b.log.String(), "GeoIP") {
		t.Error("nothing about it in the log")
	}
	b.Client(addr('a', 1))
	b.Tick(began.Add(day))
	b.want(began.Add(day), "conn-bi-direct 2026-08-21 03:04:05 (86400 s) 0,0,0,0")
	b.wantNo(began.Add(day), "geoip", "dirreq-stats", "entry")
}

// The zero Config keeps all in memory.
func TestZeroConfig(t *testing.T) {
	b := newBed(t, func(c *Config) { *c = Config{} })
	b.Tick(began.Add(day))
	b.want(began.Add(day), "hidserv-stats-end 2026-08-21 03:04:05 (86400 s)")
}

func TestClockSetBack(t *testing.T) {
	b := newBed(t, nil)
	b.Tick(noon)
	b.LinkBytes(1, 0, false)
	now := began.Add(-100 * day)
	if next := b.Tick(now); next.Sub(now) > day {
		t.Errorf("next is in %v", next.Sub(now))
	}
	b.Tick(now.Add(day))
	b.want(now.Add(day), "conn-bi-direct 2026-05-13 03:04:05 (86400 s) 0,0,0,0")
}

// A disk that fails costs the file, not the document.
func TestWriteFails(t *testing.T) {
	b := newBed(t, nil)
	b.store.FailNext(1, errors.New("no space left"))
	b.Tick(began.Add(day))
	b.want(began.Add(day), "dirreq-stats-end 2026-08-21 03:04:05 (86400 s)")
	if !strings.Contains(b.log.String(), "no space left") {
		t.Errorf("log: %s", b.log.String())
	}
	if _, err := b.store.Read("stats/dirreq-stats"); err == nil {
		t.Error("the file is there")
	}
}

// TestCheckRefuses has files that must not get into a document.
func TestCheckRefuses(t *testing.T) {
	keywords := []string{"entry-stats-end", "entry-ips"}
	const good = "entry-stats-end 2026-08-21 03:04:05 (86400 s)\nentry-ips de=8\n"
	if ended, err := check([]byte(good), keywords); err != nil || !ended.Equal(began.Add(day)) {
		t.Fatal(ended, err)
	}
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"no end":          {"entry-ips de=8\n", netdoc.ErrMissing},
		"no time":         {"entry-stats-end\n", netdoc.ErrBadValue},
		"bad time":        {"entry-stats-end 2026-08-21 03:04:65 (86400 s)\n", netdoc.ErrBadValue},
		"other item":      {good + "router-signature\n", errKeyword},
		"item twice":      {good + "entry-ips de=8\n", errKeyword},
		"object":          {good + "-----BEGIN X-----\nAAAA\n-----END X-----\n", errKeyword},
		"torn":            {good[:len(good)-1], netdoc.ErrTruncated},
		"NUL":             {good + "\x00\n", netdoc.ErrBadByte},
		"annotation":      {"@x\n" + good, netdoc.ErrMisplaced},
		"another program": {"<html>\n", netdoc.ErrBadKeyword},
		"long":            {good + strings.Repeat("\n", maxFile), errTooLong},
	} {
		if _, err := check([]byte(tt.text), keywords); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// A bad file is left out with a word in the log.
func TestBadFile(t *testing.T) {
	b := newBed(t, nil)
	b.store.WriteWhole("stats/entry-stats", []byte("entry-stats-end 2026-08-20 03:04:05 (86400 s)\nx\n"))
	b.store.WriteWhole("stats/exit-stats", nil)
	b.restart(began)
	b.wantNo(began, "entry", "exit")
	if log := b.log.String(); !strings.Contains(log, "stats/entry-stats") || strings.Contains(log, "exit-stats") {
		t.Errorf("log: %s", log)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("entry-stats-end 2026-08-21 03:04:05 (86400 s)\nentry-ips de=8\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := check(text, []string{"entry-stats-end", "entry-ips"}); err != nil {
			return
		}
		e := netdoc.NewEncoder(nil)
		e.Document(text)
		if _, err := e.Bytes(); err != nil {
			t.Errorf("an encoder refuses it: %v", err)
		}
	})
}
