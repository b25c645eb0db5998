package simnet_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// A world is a network in virtual time that is watched: clients fetch a page again and again, and all consensuses are compared.
type world struct {
	*simnet.Net
	t      *testing.T
	cfg    simnet.Config
	server *memnet.Host
	first  time.Time // hour with a consensus
	wg     sync.WaitGroup

	mu     sync.Mutex
	good   int
	failed []failure
}

// A failure is a fetch that went wrong.
type failure struct {
	at     time.Time
	client string
	err    error
}

// firstDay is when virtual time begins.
var firstDay = time.Date(2026, 10, 1, 0, 40, 0, 0, time.UTC)

const (
	probeEvery = 10 * time.Minute
	serverPort = ":80"
)

// newWorld makes a network whose first consensus is there, and lets clients fetch from then on.
func newWorld(t *testing.T, cfg simnet.Config) *world {
	w, ctx := newQuietWorld(t, cfg)
	for _, c := range w.Nodes(simnet.Client) {
		first := time.Duration(w.Rand.Int64N(int64(probeEvery)))
		w.wg.Go(func() { w.probe(ctx, c, first) })
	}
	return w
}

// newQuietWorld is newWorld without fetches. What wg has must end when ctx does, which is when the test ends.
func newQuietWorld(t *testing.T, cfg simnet.Config) (w *world, ctx context.Context) {
	time.Sleep(time.Until(firstDay))
	cfg.Interval = time.Hour
	w = &world{Net: begin(t, cfg), t: t, cfg: cfg, first: firstDay.Truncate(time.Hour).Add(time.Hour)}
	w.server = w.Host("server")
	l, err := w.server.Listen(t.Context(), "tcp", serverPort)
	if err != nil {
		t.Fatal(err)
	}
	w.wg.Go(func() { serve(l) })
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); l.Close(); w.wg.Wait(); w.tell() })
	ready(t, w.Net, 2*time.Hour)
	return w, ctx
}

// probe fetches the page now and then.
func (w *world) probe(ctx context.Context, c *simnet.Node, wait time.Duration) {
	addr := netip.AddrPortFrom(w.server.Addr(), 80).String()
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		err := fetch(ctx, c, addr)
		w.mu.Lock()
		switch {
		case err == nil:
			w.good++
		case ctx.Err() == nil:
			w.failed = append(w.failed, failure{time.Now(), c.Name, err})
		}
		w.mu.Unlock()
		wait = probeEvery
	}
}

// failures lists the fetches that have failed since the last call.
func (w *world) failures() []failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.failed
	w.failed = nil
	return list
}

// wantService checks that not more fetches than so many have failed since the last call.
func (w *world) wantService(what string, most int) {
	w.t.Helper()
	list := w.failures()
	if len(list) <= most {
		return
	}
	w.t.Errorf("%s: %d fetches failed, want at most %d", what, len(list), most)
	for _, f := range list[:min(len(list), 10)] {
		w.t.Logf("%s %s: %v", f.at.UTC().Format("Jan _2 15:04:05"), f.client, f.err)
	}
}

// until sleeps until some time after the start.
func (w *world) until(d time.Duration) { time.Sleep(time.Until(w.first.Add(d))) }

// consensus asks an authority for the consensus in force.
func (w *world) consensus(auth *simnet.Node, flavor string) (text []byte, c *consensus.Consensus, err error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	ask := dirclient.Client{Now: time.Now, Net: w.server}
	resp, err := ask.Get(ctx, circmgr.DirServer{}, dirclient.Request{Path: "/tor/status-vote/current/" + flavor, DirPort: auth.DirPort(), MaxBody: 1 << 20})
	if err != nil {
		return nil, nil, err
	}
	c, err = consensus.Parse(resp.Body)
	return resp.Body, c, err
}

// wantConsensus checks that authorities serve the consensus of this hour, the same one, which so many have signed.
func (w *world) wantConsensus(signatures int, auths ...*simnet.Node) *consensus.Consensus {
	w.t.Helper()
	hour := time.Now().Truncate(time.Hour)
	var first *consensus.Consensus
	for _, flavor := range []string{"consensus", "consensus-microdesc"} {
		var body []byte
		for _, a := range auths {
			text, c, err := w.consensus(a, flavor)
			if err != nil {
				w.t.Errorf("%v %s: %s: %v", hour, a.Name, flavor, err)
				continue
			}
			if !c.ValidAfter.Equal(hour) {
				w.t.Errorf("%v %s: the %s is of %v", hour, a.Name, flavor, c.ValidAfter)
				continue
			}
			signers := map[[20]byte]bool{}
			for _, s := range c.Signatures {
				signers[s.Identity] = true
			}
			if len(signers) != signatures {
				w.t.Errorf("%v %s: %d have signed the %s, want %d", hour, a.Name, len(signers), flavor, signatures)
			}
			signed := consensus.SignedPart(text)
			if body == nil {
				body = signed
			}
			if !bytes.Equal(body, signed) {
				w.t.Errorf("%v %s: the %s differs from that of others", hour, a.Name, flavor)
			}
			if first == nil {
				first = c
			}
		}
	}
	return first
}

// guards are the guards of a client by the order in which it uses them, by its state file.
func (w *world) guards(c *simnet.Node) (list []string) {
	text, err := c.Files().Read("state")
	if err != nil {
		w.t.Error(err)
	}
	byIndex := map[string]string{}
	for line := range strings.Lines(string(text)) {
		var id, index string
		for word := range strings.FieldsSeq(line) {
			if v, ok := strings.CutPrefix(word, "rsa_id="); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(word, "confirmed_idx="); ok {
				index = v
			}
		}
		if index != "" {
			byIndex[index] = id
		}
	}
	for _, k := range slices.Sorted(maps.Keys(byIndex)) {
		list = append(list, byIndex[k])
	}
	return list
}

// tell logs what the world was like.
func (w *world) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Logf("%d fetches", w.good)
	w.t.Logf("cells: %v", w.CellCounts())
	events := w.Events()
	kinds := slices.SortedFunc(maps.Keys(events), func(a, b simnet.Kind) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(events[b], events[a]), cmp.Compare(a.Text, b.Text))
	})
	for _, k := range kinds {
		w.t.Logf("%6d %-6v %.300s", events[k], k.Level, k.Text)
	}
}

// size tells how large the world is.
func (w *world) size() string {
	var links, files, bytes int
	for _, n := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client) {
		if c := n.Client(); c != nil {
			links += len(c.Links().Links())
		}
		for _, size := range n.Files().Sizes() {
			files++
			bytes += size
		}
	}
	return fmt.Sprintf("%d goroutines, %d ends of links, %d files of %d KiB", runtime.NumGoroutine(), links, files, bytes>>10)
}
