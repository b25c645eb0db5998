package stats

import (
	_ "embed"
	"iter"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// What C tor 0.4.9.11 published of an authority and of an exit in a private network, whose clocks were set ahead.
var (
	//go:embed testdata/authority.txt
	ctorAuthority string
	//go:embed testdata/exit.txt
	ctorExit string
)

// figures are what differs between documents that are alike.
var figures = []struct {
	like *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?m)^.*-history .*\) 0\n`), ""}, // C tor writes that after a restart
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d+ s\)`), "TIME"},
	{regexp.MustCompile(`-digest [0-9A-F]{40}`), "-digest DIGEST"},
	{regexp.MustCompile(`-(ips|reqs) .*`), "-$1 COUNTRIES"},
	{regexp.MustCompile(`([ ,])\d+=`), "${1}PORT="},
	{regexp.MustCompile(`([ ,=])-?\d+\b`), "${1}N"},
	{regexp.MustCompile(`N\.\d\d\b`), "N.NN"},
}

func shape(text string) string {
	for _, f := range figures {
		text = f.like.ReplaceAllString(text, f.with)
	}
	return text
}

type allCountries struct{ countries }

func (allCountries) Digest(bool) (sha1 [20]byte, ok bool) { return sha1, true }

// TestLikeCTor compares a relay's documents with those of C tor, which have seen other things, but of the same kinds.
func TestLikeCTor(t *testing.T) {
	for name, tt := range map[string]struct {
		want      string
		authority bool
	}{"authority": {ctorAuthority, true}, "exit": {ctorExit, false}} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, func(c *Config) { c.Countries = allCountries{} })
			start, end := noon.Add(-day), noon
			if !tt.authority { // and which lived to see onion services counted for a day
				start, end = noon.Add(-time.Second), noon.Add(day)
			}
			b.restart(start)
			b.AddRead(10000, false, start)
			b.AddWritten(10000, false, start)
			b.Client(addr('d', 1))
			b.AddCells(Cells{Total: 1}, Cells{Total: 1})
			if tt.authority {
				b.AddDir(5000, 5000, start)
				for range 20 {
					b.DirRequest(dirEvent(addr('d', 1), dircache.Served, time.Second))
				}
			} else {
				b.ExitStream(80)
				b.ExitBytes(80, 1, 1)
			}
			b.Tick(end)
			got, want := shape(b.text(end)), shape(tt.want)
			if got != want {
				t.Errorf("got\n%s, want\n%s", got, want)
			}
		})
	}
}

func dirEvent(from netip.Addr, o dircache.Outcome, took time.Duration) dircache.Event {
	status := map[dircache.Outcome]int{dircache.Served: 200, dircache.Failed: 200, dircache.Busy: 503, dircache.NotModified: 304}[o]
	return dircache.Event{
		From: dircache.From{Addr: from}, Kind: dirhttp.Consensus, Status: status, Outcome: o, Size: 1000, Took: took,
	}
}

func TestDirRequests(t *testing.T) {
	b := newBed(t, nil)
	for i := range 20 { // at 50, 52, ... 100 bytes a second, as it were
		e := dirEvent(addr('d', i%3), dircache.Served, time.Duration(i+1)*time.Second)
		e.From.Stream = true
		b.DirRequest(e)
	}
	for i := range 9 {
		b.DirRequest(dirEvent(addr('f', i), dircache.Served, 0))
	}
	b.DirRequest(dirEvent(addr(0, 1), dircache.Failed, time.Second))
	for o := dircache.NotEnoughSigs; o <= dircache.Refused; o++ {
		for range int(o) * 3 {
			b.DirRequest(dirEvent(addr('d', 1), o, time.Second))
		}
	}
	for _, odd := range []func(*dircache.Event){
		func(e *dircache.Event) { e.Kind = dirhttp.Micro },
		func(e *dircache.Event) { e.From.Addr = netip.Addr{} },
		func(e *dircache.Event) { e.Outcome, e.Status = dircache.Failed, 404 },
	} {
		e := dirEvent(addr('x', 1), dircache.Served, time.Second)
		odd(&e)
		b.DirRequest(e)
	}
	end := began.Add(day)
	b.Tick(end)
	b.want(end, "dirreq-v3-ips ff=16,dd=8", "dirreq-v3-reqs dd=24,ff=16",
		"dirreq-v3-resp served=32,ok=32,not-enough-sigs=8,unavailable=8,not-found=16,not-modified=16,busy=16",
		"dirreq-v3-direct-dl complete=12,timeout=4,running=0",
		"dirreq-v3-tunneled-dl complete=20,timeout=0,running=0,min=50,d1=52,d2=58,q1=62,d3=66,d4=76,md=90,d6=111,d7=142,q3=166,d8=200,"+
			"d9=333,max=1000")
	b.Tick(end.Add(day))
	b.want(end.Add(day), "dirreq-v3-ips ", "dirreq-v3-reqs ",
		"dirreq-v3-resp served=0,ok=0,not-enough-sigs=0,unavailable=0,not-found=0,not-modified=0,busy=0",
		"dirreq-v3-tunneled-dl complete=0,timeout=0,running=0")
}

func TestClients(t *testing.T) {
	b := newBed(t, nil)
	for i := range 9 {
		b.Client(addr('b', i))
		b.Client(addr('b', i))
		b.Client(addr('a', i))
	}
	b.Client(addr('c', 1))
	b.Client(netip.MustParseAddr("2001:db8::1"))
	b.Tick(began.Add(day))
	b.want(began.Add(day), "entry-ips aa=16,bb=16,??=8,cc=8") // by what is told, then by name
}

func TestExitPorts(t *testing.T) {
	b := newBed(t, nil)
	for port := range uint16(12) {
		b.ExitBytes(1000+port, uint64(port)*1024, 1)
		b.ExitStream(1000 + port)
	}
	b.ExitBytes(443, 5<<30, 0)
	b.ExitStream(22) // without a byte
	end := began.Add(day)
	b.Tick(end)
	b.want(end, "exit-kibibytes-written 1003=1,1004=1,1005=1,1006=1,1007=1,1008=1,1009=1,1010=1,1011=1,other=1",
		"exit-kibibytes-read 443=5242880,1003=3,1004=4,1005=5,1006=6,1007=7,1008=8,1009=9,1010=10,1011=11,other=3",
		"exit-streams-opened 1003=4,1004=4,1005=4,1006=4,1007=4,1008=4,1009=4,1010=4,1011=4,other=4")
}

func TestLinks(t *testing.T) {
	b := newBed(t, nil)
	for _, x := range []struct {
		read, written uint64
		ipv6          bool
	}{
		{0, 0, false},         // not counted
		{20479, 0, false},     // next to nothing
		{10000, 10479, true},  // same
		{20480, 0, false},     // mostly read
		{200000, 20000, true}, // same
		{199999, 20000, false},
		{20000, 199999, true},
		{20000, 200000, false}, // mostly written
		{1 << 40, 1 << 39, false},
	} {
		b.LinkBytes(x.read, x.written, x.ipv6)
	}
	end := began.Add(day)
	b.Tick(end)
	b.want(end, "conn-bi-direct 2026-08-21 03:04:05 (86400 s) 2,2,1,3", "ipv6-conn-bi-direct 2026-08-21 03:04:05 (86400 s) 1,1,0,1")
}

func TestCircuits(t *testing.T) {
	end := began.Add(day)
	open := Circuit{Began: began.Add(-time.Hour), Cells: 1000, Waited: 86400 * time.Second}
	b := newBed(t, func(c *Config) {
		c.Circuits = func() iter.Seq[Circuit] { return slices.Values([]Circuit{open}) }
	})
	for i := range 10 {
		b.CircuitClosed(Circuit{Began: began, Cells: uint64(10 + i), Waited: 250 * time.Millisecond}, began.Add(10*time.Second))
	}
	b.CircuitClosed(Circuit{Began: began}, end)             // without a cell
	b.CircuitClosed(Circuit{Began: began, Cells: 3}, began) // too short
	b.CircuitClosed(Circuit{Began: end, Cells: 3}, began)   // the clock was set
	b.Tick(end)
	// The first tenth is of two circuits: the open one and that of 19 cells.
	b.want(end, "cell-processed-cells 509,18,17,16,15,14,13,12,11,10", "cell-queued-cells 0.26,0.01,0.01,0.01,0.01,0.01,0.01,0.01,0.01,0.01",
		"cell-time-in-queue 43207,14,15,16,17,18,19,21,23,25", "cell-circuits-per-decile 2")
	b.Tick(end.Add(day))
	b.want(end.Add(day), "cell-processed-cells 1000,0,0,0,0,0,0,0,0,0", "cell-circuits-per-decile 1")
}

func TestHidServ(t *testing.T) {
	b := newBed(t, nil)
	b.RendCells(5000)
	b.OnionStored(&[32]byte{1}) // before noon
	b.Tick(noon)
	b.RendCells(1025)
	for i := range byte(20) {
		b.OnionStored(&[32]byte{i / 2})
	}
	end := noon.Add(day)
	b.Tick(end)
	b.want(end, "hidserv-v3-stats-end 2026-08-21 12:00:00 (86400 s)",
		"hidserv-rend-v3-relayed-cells 2048 delta_f=2048 epsilon=0.30 bin_size=1024",
		"hidserv-dir-v3-onions-seen 16 delta_f=8 epsilon=0.30 bin_size=8",
		"hidserv-rend-relayed-cells 0 delta_f=2048 epsilon=0.30 bin_size=1024")
}

func TestPadding(t *testing.T) {
	b := newBed(t, nil)
	b.AddCells(Cells{Total: 1}, Cells{})
	end := began.Add(day)
	b.Tick(end)
	b.wantNo(end, "padding-counts") // nothing written: too few to tell
	b.AddCells(Cells{1, 0, 10001, 30001, 40001}, Cells{10000, 20001, 0, 1, 0})
	b.PaddingTimers(7)
	b.PaddingTimers(3)
	b.Tick(end.Add(day))
	b.want(end.Add(day), "padding-counts 2026-08-22 03:04:05 (86400 s) bin-size=10000 write-drop=0 write-pad=30000 write-total=10000 "+
		"read-drop=20000 read-pad=0 read-total=10000 enabled-read-pad=50000 enabled-read-total=40000 enabled-write-pad=0 "+
		"enabled-write-total=10000 max-chanpad-timers=7")
}

func TestBandwidthLines(t *testing.T) {
	b := newBed(t, func(c *Config) { c.RelayRate = 1 })
	b.AddRead(86400+5000, false, began)
	b.AddRead(2047, true, began)
	b.AddWritten(3000, true, began)
	b.wantNo(began.Add(day-time.Second), "read-history", "write-history")
	b.want(began.Add(day), "write-history 2026-08-21 03:04:05 (86400 s) 2048", "read-history 2026-08-21 03:04:05 (86400 s) 86400",
		"ipv6-write-history 2026-08-21 03:04:05 (86400 s) 2048", "ipv6-read-history 2026-08-21 03:04:05 (86400 s) 1024")
	if got := b.Observed(began.Add(day)); got != 300 {
		t.Errorf("observed %d, want 300: what was written", got)
	}
}

// TestSamples has more than is kept.
func TestSamples(t *testing.T) {
	var s sample[int]
	const all = 2 * maxSample
	for i := range all {
		s.add(i)
	}
	sum := 0.0
	for _, v := range s.values {
		sum += float64(v)
	}
	mean, want := sum/maxSample, float64(all)/2
	if s.n != all || len(s.values) != maxSample || math.Abs(mean-want) > want/100 {
		t.Errorf("%d of %d values, mean %.0f, want %.0f", len(s.values), s.n, mean, want)
	}
	d := newDistinct()
	for i := range uint64(maxDistinct) {
		d.seen[i] = struct{}{} // as if it had been hashed
	}
	if d.add([]byte("one more")) {
		t.Error("more is remembered than may be")
	}
	if len(d.seen) != maxDistinct {
		t.Errorf("%d are remembered", len(d.seen))
	}
}

func TestRoundUp(t *testing.T) {
	for _, x := range []struct{ n, want uint64 }{{0, 0}, {1, 8}, {8, 8}, {9, 16}, {math.MaxUint64, math.MaxUint64}} {
		if got := roundUp(x.n, 8); got != x.want {
			t.Errorf("%d: %d, want %d", x.n, got, x.want)
		}
	}
}

func TestLaplace(t *testing.T) {
	const b, n = 1000, 200000
	below, abs := 0, 0.0
	for range n {
		x := laplace(b, uniform())
		abs += math.Abs(float64(x))
		if x < 0 {
			below++
		}
	}
	if mean := abs / n; math.Abs(mean-b) > b/50 { // the mean distance is b
		t.Errorf("mean distance %.0f, want %d", mean, b)
	}
	if math.Abs(float64(below)-n/2) > n/100 {
		t.Errorf("%d of %d are below 0", below, n)
	}
	for random, want := range map[float64]int64{0.5: 0, 0.25: -693, 0.75: 693} {
		if got := laplace(b, random); got != want {
			t.Errorf("%v: %d, want %d", random, got, want)
		}
	}
	if got := addClamped(math.MaxInt64, 1); got != math.MaxInt64 {
		t.Error(got)
	}
	if got := addClamped(math.MinInt64, -1); got != math.MinInt64 {
		t.Error(got)
	}
	if text := obscuredOnions.text(math.MaxUint64, 0.5); !strings.HasPrefix(text, "9223372036854775807 ") {
		t.Error(text)
	}
}
