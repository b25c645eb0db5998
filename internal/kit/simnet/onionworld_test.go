package simnet_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/hsdirs"
	"github.com/tropea-net/tropea/internal/role/hsservice"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// An onionWorld is a world with onion services that are watched: each minute clients go to them.
type onionWorld struct {
	*world
	ctx   context.Context // ends with the test
	hosts map[string]*host
	pair  *x25519.KeyPair // of the clients that the second service lets in

	mu      sync.Mutex
	visits  map[string]*visits
	gaps    map[int]int // visits by how many hours the service's consensus was younger than the client's
	minutes map[time.Time]bool
}

// A host is a node with an onion service.
type host struct {
	node  *simnet.Node
	onion *simnet.Onion
	addr  onionaddr.Address

	mu      sync.Mutex // guards the fields below
	points  []time.Time
	uploads map[time.Time]int // by the hour
	refused []string
}

// visits are those of a client.
type visits struct {
	good   int
	failed []failure
	slow   time.Duration // the longest
	sum    time.Duration
}

// newHostLog counts what a host logs, and passes it on.
func (h *host) handler(next slog.Handler) slog.Handler { return &hostLog{h, next} }

type hostLog struct {
	*host
	slog.Handler
}

func (l *hostLog) Enabled(_ context.Context, v slog.Level) bool { return v >= slog.LevelDebug }

func (l *hostLog) WithAttrs(a []slog.Attr) slog.Handler {
	return &hostLog{l.host, l.Handler.WithAttrs(a)}
}

func (l *hostLog) Handle(ctx context.Context, r slog.Record) error {
	l.mu.Lock()
	switch r.Message {
	case "introduction point established":
		l.points = append(l.points, time.Now())
	case "directory has taken a descriptor":
		l.uploads[time.Now().Truncate(time.Hour)]++
	case "directory did not take a descriptor":
		text := time.Now().UTC().Format("Jan _2 15:04:05")
		r.Attrs(func(a slog.Attr) bool {
			if e, ok := a.Value.Any().(error); ok {
				text += " " + safelog.RevealText(e)
			}
			return true
		})
		l.refused = append(l.refused, text)
	}
	l.mu.Unlock()
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// newOnionWorld makes a world in which each of some clients has a service. The second of these lets only those in that it knows.
func newOnionWorld(t *testing.T, cfg simnet.Config, hosts ...string) *onionWorld {
	w := &onionWorld{hosts: map[string]*host{}, visits: map[string]*visits{}, gaps: map[int]int{}, minutes: map[time.Time]bool{}}
	for _, name := range hosts {
		w.hosts[name] = &host{uploads: map[time.Time]int{}}
	}
	change := cfg.Change
	cfg.Change = func(n *simnet.Node, p *simnet.Parts) {
		if change != nil {
			change(n, p)
		}
		if h := w.hosts[n.Name]; h != nil {
			p.Client.Env.Log = slog.New(h.handler(p.Client.Env.Log.Handler()))
		}
	}
	w.world, w.ctx = newQuietWorld(t, cfg)
	w.stagger()
	w.first = w.first.Add(settle)
	w.until(0)
	w.pair = must(x25519.Generate(rand.Reader))
	for i, name := range hosts {
		h := w.hosts[name]
		h.node = w.Node(name)
		set := hsservice.Settings{}
		if i == 1 {
			set.Clients = [][32]byte{w.pair.Public()}
		}
		h.onion = must(h.node.Listen("onion", set))
		h.addr = must(onionaddr.Parse(h.onion.Host()))
		w.wg.Go(func() { serve(h.onion) })
		t.Cleanup(func() { h.onion.Close() })
	}
	for _, h := range w.hosts {
		w.up(h)
	}
	return w
}

// settle is how long it takes until relays that have restarted are in all consensuses, and these are known to everybody.
const settle = 5 * time.Hour

// stagger makes onion keys of relays differ in age, so that relays do not all change them in the same hour.
func (w *world) stagger() {
	for i, r := range w.Nodes(simnet.Authority, simnet.Relay, simnet.Exit) {
		r.Stop()
		text := must(r.Files().Read("state"))
		rotated := time.Now().Add(-time.Duration(i) * 2 * time.Hour).UTC().Format("LastRotatedOnionKey 2006-01-02 15:04:05")
		if err := r.Files().WriteWhole("state", lastRotated.ReplaceAll(text, []byte(rotated))); err != nil {
			w.t.Error(err)
		}
		w.start(r)
	}
}

var lastRotated = regexp.MustCompile("LastRotatedOnionKey .*")

// up waits for a service to be there.
func (w *onionWorld) up(h *host) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Minute)
	defer cancel()
	if err := h.onion.WaitUp(ctx); err != nil {
		w.t.Errorf("%v: %v", time.Now().UTC(), err)
	}
}

// authorize makes a client known to a service.
func (w *onionWorld) authorize(c *simnet.Node, h *host) {
	secret := w.pair.Secret()
	c.Client().SetOnionAuth([]*keyfile.ClientAuth{must(keyfile.NewClientAuth(h.addr, secret))})
}

// visit goes to a service once, on a circuit of its own.
func (w *onionWorld) visit(who string, c *simnet.Node, h *host) error {
	return w.visitBy(who, c, h, c.DialAlone)
}

// call goes to a service once, on a circuit that is there, if one is.
func (w *onionWorld) call(who string, c *simnet.Node, h *host) error {
	return w.visitBy(who, c, h, func(ctx context.Context, addr string) (net.Conn, error) { return c.DialContext(ctx, "tcp", addr) })
}

func (w *onionWorld) visitBy(who string, c *simnet.Node, h *host, dial func(context.Context, string) (net.Conn, error)) error {
	begun := time.Now()
	gap := w.gap(c, h)
	err := fetchBy(w.ctx, dial, h.onion.Addr().String())
	took := time.Since(begun)
	if w.ctx.Err() != nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.visits[who]
	if v == nil {
		v = new(visits)
		w.visits[who] = v
	}
	w.gaps[gap]++
	minute := begun.Truncate(time.Minute)
	if err != nil {
		v.failed = append(v.failed, failure{begun, fmt.Sprintf("%s, %d h behind, after %v", who, gap, took), err})
		w.minutes[minute] = false
		return err
	}
	if _, ok := w.minutes[minute]; !ok {
		w.minutes[minute] = true
	}
	v.good++
	v.sum += took
	v.slow = max(v.slow, took)
	return nil
}

// draw is a number below n, of the world's seed.
func (w *onionWorld) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Rand.IntN(n)
}

// gap is by how many hours the consensus of a service is younger than that of a client.
func (w *onionWorld) gap(c *simnet.Node, h *host) int {
	a, b := c.View(), h.node.View()
	if a == nil || b == nil {
		return 0
	}
	return int(b.Consensus().ValidAfter.Sub(a.Consensus().ValidAfter) / time.Hour)
}

// again runs f every now and then until the world ends; pause says when next.
func (w *onionWorld) again(pause func(now time.Time) time.Duration, f func()) {
	w.wg.Go(func() {
		for {
			timer := time.NewTimer(pause(time.Now()))
			select {
			case <-w.ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			f()
		}
	})
}

// wantDirs checks that a client looks for the descriptor of a service where that has put it.
func (w *onionWorld) wantDirs(c *simnet.Node, h *host) {
	w.t.Helper()
	cv, hv := c.View(), h.node.View()
	if cv == nil || hv == nil {
		w.t.Errorf("%v: %s or %s has no directory", time.Now().UTC(), c.Name, h.node.Name)
		return
	}
	theirs, ours := must(hsdirs.New(cv, false)), must(hsdirs.New(hv, false))
	use := theirs.Clock().Fetch()
	first, second := ours.Clock().Store()
	if first.Period != use.Period {
		first = second
	}
	if first.Period != use.Period {
		w.t.Errorf("%v: %s looks for the descriptor of period %d, and %s has that of %d", time.Now().UTC(), c.Name, use.Period.Num, h.node.Name, second.Period.Num)
		return
	}
	blinded := must(hskeys.BlindPublic(h.addr, use.Period))
	has := map[[20]byte]bool{}
	for _, r := range ours.Store(first, blinded) {
		has[r.RSA] = true
	}
	for _, r := range theirs.Fetch(use, blinded) {
		if !has[r.RSA] {
			w.t.Errorf("%v: %s looks at %s for the descriptor of %s, which has not put it there", time.Now().UTC(), c.Name, r.Nickname, h.node.Name)
		}
	}
}

// wantVisits checks that no visit has failed.
func (w *onionWorld) wantVisits() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	for _, who := range slices.Sorted(maps.Keys(w.visits)) {
		v := w.visits[who]
		total += v.good
		w.t.Logf("%-34s %6d visits, of %v each, %v at most; %d failed", who, v.good, (v.sum / time.Duration(max(v.good, 1))).Round(time.Millisecond), v.slow.Round(time.Millisecond), len(v.failed))
		for _, f := range v.failed[:min(len(v.failed), 10)] {
			w.t.Errorf("%s %s: %v", f.at.UTC().Format("Jan _2 15:04:05"), f.client, f.err)
		}
	}
	reached := 0
	for _, ok := range w.minutes {
		if ok {
			reached++
		}
	}
	w.t.Logf("%d visits in %d minutes, in %d of which all went well; by the hours that the client was behind: %v", total, len(w.minutes), reached, w.gaps)
}

// wantBounds checks what a service has cost the network, if nothing has gone wrong in it.
func (w *onionWorld) wantBounds(h *host) {
	w.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.refused[:min(len(h.refused), 5)] {
		w.t.Errorf("%s: a directory did not take a descriptor: %s", h.node.Name, r)
	}
	var most, sum int
	for _, n := range h.uploads {
		most, sum = max(most, n), sum+n
	}
	w.t.Logf("%s: %d introduction points, %d uploads, at most %d in an hour", h.node.Name, len(h.points), sum, most)
	if most > maxUploads {
		w.t.Errorf("%s: %d uploads in an hour, want at most %d", h.node.Name, most, maxUploads)
	}
}

// maxUploads in an hour: two descriptors go to four directories each, once an hour at most, and when introduction points change.
const maxUploads = 2 * 4 * 5

// wantLifetimes checks that each introduction point of a service that never stopped has been replaced after 18 to 24 hours.
func (w *onionWorld) wantLifetimes(h *host) {
	w.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	const count, least, most = 3, 18 * time.Hour, 24*time.Hour + 5*time.Minute
	live := slices.Clone(h.points[:min(count, len(h.points))])
	for _, at := range h.points[len(live):] {
		// Of those that may have gone, the oldest one.
		if age := at.Sub(live[0]); age < least || age > most {
			w.t.Errorf("%s: at %v an introduction point was replaced after %v", h.node.Name, at.UTC(), age)
		}
		live = append(live[1:], at)
	}
	if age := time.Since(live[0]); age > most {
		w.t.Errorf("%s: an introduction point was not replaced after %v", h.node.Name, age)
	}
}
