package stats

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// dirRequests counts requests for consensuses.
type dirRequests struct {
	mu        sync.Mutex // a leaf; guards the fields below
	on        bool
	ips       addresses
	requests  perCountry
	served    uint64 // answers that began; those that went out whole are Served
	outcomes  [responses]uint64
	downloads [2]downloads // of requests to the DirPort, and of those in streams
}

// responses is how many outcomes are told of: those up to Busy.
const responses = int(dircache.Busy) + 1

// downloads are answers that were sent, or were to be.
type downloads struct {
	speeds sample[uint32] // bytes per second
	failed uint64
}

// DirRequest counts a request that a directory cache has answered. It fits dircache.Config.Note.
func (s *Stats) DirRequest(e dircache.Event) {
	cfg := s.cfg.Load()
	if e.Kind != dirhttp.Consensus || cfg.NoDirReq || cfg.Countries == nil || !e.From.Addr.IsValid() {
		return
	}
	d := &s.dirRequests
	if e.Outcome != dircache.Served && e.Outcome != dircache.Failed {
		d.refused(e.Outcome)
		return
	}
	if e.Status == dirhttp.StatusOK {
		d.answered(&e, cfg.Countries.Country(e.From.Addr))
	}
}

func (d *dirRequests) refused(o dircache.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.on && int(o) < responses {
		d.outcomes[o]++
	}
}

func (d *dirRequests) answered(e *dircache.Event, country string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.on {
		return
	}
	d.served++
	dl := &d.downloads[0]
	if e.From.Stream {
		dl = &d.downloads[1]
	}
	if e.Outcome == dircache.Failed {
		dl.failed++
		return
	}
	d.outcomes[dircache.Served]++
	d.ips.add(e.From.Addr, country)
	d.requests[country]++
	ms := max(uint64(e.Took/time.Millisecond), 1)
	dl.speeds.add(uint32(min(times(uint64(e.Size), 1000)/ms, math.MaxUint32)))
}

func (d *dirRequests) reset(start time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.resetLocked(!start.IsZero())
}

func (d *dirRequests) resetLocked(on bool) {
	d.on, d.ips, d.requests = on, newAddresses(), perCountry{}
	d.served, d.outcomes, d.downloads = 0, [responses]uint64{}, [2]downloads{}
}

func (d *dirRequests) take(e *netdoc.Encoder, start, end time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	item(e, "dirreq-stats-end", start, end)
	e.Item("dirreq-v3-ips").Rest(d.ips.String())
	e.Item("dirreq-v3-reqs").Rest(d.requests.String())
	resp := []string{fmt.Sprintf("served=%d", roundUp(d.served, clientStep))} // C tor 0.4.9.11 has it, older ones do not
	for o, n := range d.outcomes {
		resp = append(resp, fmt.Sprintf("%v=%d", dircache.Outcome(o), roundUp(n, clientStep)))
	}
	e.Item("dirreq-v3-resp").Rest(strings.Join(resp, ","))
	e.Item("dirreq-v3-direct-dl").Rest(d.downloads[0].String())
	e.Item("dirreq-v3-tunneled-dl").Rest(d.downloads[1].String())
	d.resetLocked(true)
}

// Numbers of downloads are rounded up to downloadStep. With fewer than minDownloads, nothing is said of their speed.
const (
	downloadStep = 4
	minDownloads = 16
)

// String returns the item's argument. It sorts the speeds.
func (d *downloads) String() string {
	complete := roundUp(d.speeds.n, downloadStep)
	text := fmt.Sprintf("complete=%d,timeout=%d,running=0", complete, roundUp(d.failed, downloadStep))
	if complete < minDownloads {
		return text
	}
	v := d.speeds.values
	slices.Sort(v)
	// C tor counts quantiles from 1.
	of := func(part, whole int) uint32 { return v[part*len(v)/whole-1] }
	return text + fmt.Sprintf(",min=%d,d1=%d,d2=%d,q1=%d,d3=%d,d4=%d,md=%d,d6=%d,d7=%d,q3=%d,d8=%d,d9=%d,max=%d",
		v[0], of(1, 10), of(2, 10), of(1, 4), of(3, 10), of(4, 10), of(5, 10), of(6, 10), of(7, 10), of(3, 4), of(8, 10), of(9, 10),
		v[len(v)-1])
}
