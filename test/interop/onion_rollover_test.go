package interop_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// How long clients watch services: so many time periods must begin, and so many shared random values come.
const rollovers = 2

// TestOnionRollover has clients of both programs ask for services of both, on a new circuit each second, while time periods begin
// and shared random values change: in this network each does every four minutes. Meanwhile so many clients ask for the service
// with proofs of work that its host, which looks at that every five minutes, asks for an effort.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#TIME-PERIODS
func TestOnionRollover(t *testing.T) {
	if !long {
		t.Skip("takes ten minutes: TROPEA_LONG=1 runs it")
	}
	bin := build(t)
	var mu sync.Mutex
	var table strings.Builder
	t.Cleanup(func() { t.Logf("%s\n%s", watchHeader, table.String()) })
	for _, relays := range programs {
		t.Run(relays+" relays", func(t *testing.T) {
			t.Parallel()
			b := newOnionBed(t, relays, bin, "rollover")
			b.work = []string{"HiddenServicePoWQueueRate 1", "HiddenServicePoWQueueBurst 1"}
			begin := time.Now()
			b.start(t, "MaxCircuitDirtiness 10 seconds")
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var vigils []*vigil
			for _, client := range programs {
				for _, host := range programs {
					w := &vigil{mix: mix{b: b, client: b.clients[client], host: b.hosts[host]}, addr: b.hosts[host].address(t, "open")}
					vigils = append(vigils, w)
					wg.Go(func() { w.run(ctx, t) })
				}
			}
			rolled := make(chan error, 1)
			go func() { rolled <- b.waitRollovers(t) }()
			t.Run("effort", func(t *testing.T) { b.testEffort(t, begin) })
			if err := <-rolled; err != nil {
				t.Error(err)
			}
			stop()
			wg.Wait()
			for _, w := range vigils {
				mu.Lock()
				fmt.Fprintln(&table, w.row())
				mu.Unlock()
				// C tor loses a client now and then, and tells nobody.
				if w.failed > 0 && (programOf(w.client) == ours && w.host.program == ours || w.failed*100 > w.asked) {
					t.Errorf("%d of %d requests have failed: %s", w.failed, w.asked, w.name())
				}
			}
			b.checkLogs(t)
		})
	}
}

// A vigil asks for a service again and again.
type vigil struct {
	mix
	addr string

	mu            sync.Mutex // guards the fields below
	asked, failed int
	slow          int // took more than five seconds
	longest       time.Duration
}

const watchHeader = `
| client | host | relays | requests | failed | slower than 5 s | longest |
|---|---|---|---|---|---|---|`

func (w *vigil) row() string {
	return fmt.Sprintf("| %s | %s | %s | %d | %d | %d | %v |", programOf(w.client), w.host.program, w.b.relays,
		w.asked, w.failed, w.slow, w.longest.Round(10*time.Millisecond))
}

func (w *vigil) run(ctx context.Context, t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := 0; ; i++ {
		user := fmt.Sprint(w.name(), "watch", i)
		wg.Go(func() { w.ask(t, user) })
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (w *vigil) ask(t *testing.T, user string) {
	ctx, cancel := context.WithTimeout(t.Context(), bulkTimeout)
	defer cancel()
	begin := time.Now()
	err := download(ctx, viaGo, proxyURL(w.client.SOCKS, user), "http://"+w.addr+"/body", "watch", 100)
	took := time.Since(begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	w.longest = max(w.longest, took)
	if took > 5*time.Second {
		w.slow++
	}
	if err != nil {
		w.failed++
	}
	if err != nil || took > 5*time.Second {
		t.Logf("%s, %s relays, %s: %v, asked at %v: %v", w.name(), w.b.relays, user, took.Round(time.Millisecond), begin.Format(time.TimeOnly), err)
	}
}

// waitRollovers waits until enough time periods have begun and shared random values have changed.
func (b *onionBed) waitRollovers(t *testing.T) error {
	ctx := deadline(t, 30*time.Minute)
	var period hskeys.Period
	var srv string
	periods, srvs := -1, -1 // the first is no change
	for periods < rollovers || srvs < rollovers {
		if text, err := getDir(ctx, b.net.Node("authority1"), "/tor/status-vote/current/consensus-microdesc"); err == nil {
			c, err := consensus.Parse(text)
			if err != nil {
				return err
			}
			clock, err := hskeys.NewClock(c.ValidAfter, c.FreshUntil.Sub(c.ValidAfter), 1440, true)
			if err != nil {
				return err
			}
			if p := clock.Period(); p != period {
				period = p
				periods++
				t.Logf("%s relays: time period %d at %v", b.relays, p.Num, time.Now().Format(time.TimeOnly))
			}
			if now := fmt.Sprintf("%x", c.CurrentSRV); now != srv {
				srv = now
				srvs++
				t.Logf("%s relays: another shared random value at %v", b.relays, time.Now().Format(time.TimeOnly))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d time periods, %d shared random values", periods, srvs)
		case <-time.After(time.Second):
		}
	}
	// Whoever is late with the last consensus has it now.
	select {
	case <-ctx.Done():
	case <-time.After(3 * voting):
	}
	return nil
}

// When hosts look at their queues, after their start.
const (
	effortReview = 5 * time.Minute
	floodBefore  = 20 * time.Second // of the review
	floodAfter   = 10 * time.Second
)

// testEffort sends more clients than a host that has begun at a time wants to meet, until it asks for an effort. Clients that come
// then make it, and are met.
//
// https://spec.torproject.org/hspow-spec/common-protocol.html
func (b *onionBed) testEffort(t *testing.T, begin time.Time) {
	select {
	case <-time.After(time.Until(begin.Add(effortReview - floodBefore))):
	case <-t.Context().Done():
		return
	}
	flood, stop := context.WithDeadline(t.Context(), begin.Add(effortReview+floodAfter))
	defer stop()
	var wg sync.WaitGroup
	for i := 0; flood.Err() == nil; i++ {
		for _, h := range b.hosts {
			user := fmt.Sprint("flood", h.program, i)
			wg.Go(func() { // most are not met
				download(flood, viaGo, proxyURL(b.strangers[ours].SOCKS, user), "http://"+h.address(t, "work")+"/body", user, 1)
			})
		}
		select {
		case <-flood.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
	wg.Wait()
	for i, program := range programs {
		client := b.add(t, testnet.NodeConfig{Name: fmt.Sprint("client", i+5), Bin: b.program(t, program), Torrc: patient(program)})
		for _, h := range b.hosts {
			before, err := h.run()
			must(t, err)
			took := time.Now()
			must(t, b.get(t, client, "effort", h.address(t, "work"), 1000))
			log, err := h.run()
			must(t, err)
			if n := mostEffort(h.program, log[len(before):]); n == 0 {
				t.Errorf("%s to %s, %s relays: no effort", program, h.program, b.relays)
			} else {
				t.Logf("%s to %s, %s relays: met after a proof of effort %d, in %v", program, h.program, b.relays, n, time.Since(took).Round(time.Millisecond))
			}
		}
	}
}
