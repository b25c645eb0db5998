package interop_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// A mix is a client that uses the services of a host, and how long that took.
type mix struct {
	b                *onionBed
	client, stranger *testnet.Node
	host             *onionHost

	cold, warm, stream, crowd, back time.Duration
	down, up                        float64 // MiB/s
	failed                          int     // requests while the host was away
}

const mixHeader = `
| client | host | relays | cold | new circuit | new stream | 100 clients | down | up | after a restart |
|---|---|---|---|---|---|---|---|---|---|`

func (m *mix) row() string {
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("| %s | %s | %s | %v | %v | %v | %v | %.1f MiB/s | %.1f MiB/s | %v (%d failed) |", programOf(m.client), m.host.program, m.b.relays,
		ms(m.cold), ms(m.warm), ms(m.stream), ms(m.crowd), m.down, m.up, ms(m.back), m.failed)
}

func programOf(node *testnet.Node) string {
	if ctor.IsTropea(node.Bin) {
		return ours
	}
	return theirs
}

// name tells the mix from others, for seeds and users.
func (m *mix) name() string { return programOf(m.client) + m.host.program }

// full tells whether it is the mix that always moves 100 MB.
func (m *mix) full() bool {
	return long || programOf(m.client) == ours && m.host.program == ours && m.b.relays == ours
}

func (m *mix) test(t *testing.T) {
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"reach", m.testReach}, {"bodies", m.testBodies}, {"ports", m.testPorts}, {"authorized", m.testAuthorized},
		{"refused", m.testRefused}, {"work", m.testWork},
	} {
		t.Run(part.name, part.run)
	}
}

// testMuch has many clients, and many bytes.
func (m *mix) testMuch(t *testing.T) {
	t.Run("crowd", m.testCrowd)
	t.Run("rates", m.testRates)
}

// open is a service's address with a port.
func (m *mix) open(t *testing.T, service, port string) string {
	return net.JoinHostPort(m.host.address(t, service), port)
}

// testReach asks for one byte: as one who has never heard of the service, as one who wants to be another one, and once more.
func (m *mix) testReach(t *testing.T) {
	for i, took := range []*time.Duration{&m.cold, &m.warm, &m.stream} {
		user := fmt.Sprint(m.name(), "reach", min(i, 1))
		begin := time.Now()
		must(t, m.b.get(t, m.client, user, m.open(t, "open", "80"), 1))
		*took = time.Since(begin)
	}
}

// testBodies moves bodies of many sizes, half of them on one circuit.
func (m *mix) testBodies(t *testing.T) {
	base := "http://" + m.open(t, "open", "80")
	var wg sync.WaitGroup
	for i, size := range []int64{1, 498, 499, 10_000, 1_000_000, 5 << 20} {
		proxy := proxyURL(m.client.SOCKS, fmt.Sprint(m.name(), "body", i/2))
		seed := fmt.Sprint(m.name(), size)
		wg.Go(func() {
			if err := download(deadline(t, bulkTimeout), viaGo, proxy, base+"/body", seed, size); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := upload(deadline(t, bulkTimeout), viaGo, proxy, base+"/sum", seed, size); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// testPorts uses all ports, and one that is not there.
func (m *mix) testPorts(t *testing.T) {
	for _, port := range []string{"80", "8080", "81"} {
		must(t, m.b.get(t, m.client, m.name(), m.open(t, "open", port), 100_000))
	}
	// That ends the circuit; the next stream gets another one.
	if _, reply, err := ask(deadline(t, taskTimeout), m.stranger.SOCKS, connect(m.host.address(t, "open"), 82)); err != nil || reply.Code == 0 {
		t.Errorf("a port that is not there: %v, %v", reply.Code, err)
	}
	must(t, m.b.get(t, m.stranger, "", m.open(t, "open", "80"), 1000))
}

// testAuthorized uses services that know the client.
func (m *mix) testAuthorized(t *testing.T) {
	must(t, m.b.get(t, m.client, m.name(), m.open(t, "known", "80"), 100_000))
}

// testRefused has somebody ask whom services do not know.
//
// https://spec.torproject.org/proposals/304-socks5-extending-hs-error-codes.html
func (m *mix) testRefused(t *testing.T) {
	port := extendedPort(t, m.stranger)
	for name, tt := range map[string]struct {
		host string
		want socksmsg.ReplyCode
	}{
		"wrong key":     {m.host.address(t, "known"), socksmsg.OnionWrongAuth},
		"no key":        {m.host.address(t, "closed"), socksmsg.OnionMissingAuth},
		"no descriptor": {onion, socksmsg.OnionNotFound},
		"bad address":   {"a" + onion[1:], socksmsg.OnionBadAddress},
	} {
		_, reply, err := ask(deadline(t, taskTimeout), port, connect(tt.host, 80))
		if reply.Code != tt.want {
			t.Errorf("%s: %v (%v), want %v", name, reply.Code, err, tt.want)
		}
	}
}

// testWork uses a service whose descriptor asks for a proof of work, and looks whether the host has seen it.
func (m *mix) testWork(t *testing.T) {
	m.b.askEffort(t, m.host)
	before, err := m.host.run()
	must(t, err)
	begin := time.Now()
	must(t, m.b.get(t, m.client, m.name(), m.open(t, "work", "80"), 100_000))
	took := time.Since(begin)
	log, err := m.host.run()
	must(t, err)
	if n := mostEffort(m.host.program, log[len(before):]); n != effort {
		t.Errorf("%s has seen an effort of %d, want %d", m.host.name, n, effort)
	}
	t.Logf("with a proof of effort %d: %v", effort, took.Round(time.Millisecond))
}

// testCrowd has a hundred clients ask at once, each on a circuit of its own.
func (m *mix) testCrowd(t *testing.T) {
	ctx, begin := deadline(t, bulkTimeout), time.Now()
	base := "http://" + m.open(t, "open", "80") + "/body"
	errs := make([]error, 100)
	var wg sync.WaitGroup
	for i := range errs {
		user := fmt.Sprint(m.name(), "crowd", i)
		wg.Go(func() { errs[i] = download(ctx, viaGo, proxyURL(m.client.SOCKS, user), base, user, 10_000) })
	}
	wg.Wait()
	m.crowd = time.Since(begin)
	for i, err := range errs {
		if err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
}

// testRates moves much, alone.
func (m *mix) testRates(t *testing.T) {
	size := int64(5_000_000)
	if m.full() {
		size = 100_000_000
	}
	base := "http://" + m.open(t, "open", "80")
	rate := func(f func(ctx context.Context) error) float64 {
		begin := time.Now()
		if err := f(deadline(t, bulkTimeout)); err != nil {
			t.Error(err)
		}
		return float64(size) / (1 << 20) / time.Since(begin).Seconds()
	}
	proxy := proxyURL(m.client.SOCKS, m.name()+"rates")
	m.down = rate(func(ctx context.Context) error { return download(ctx, viaGo, proxy, base+"/body", m.name(), size) })
	m.up = rate(func(ctx context.Context) error { return upload(ctx, viaGo, proxy, base+"/sum", m.name(), size) })
}

// testRestart ends a host and starts it again. Clients, who know what was true before, must find it as soon as it is there.
func (b *onionBed) testRestart(t *testing.T, h *onionHost, end func(*ctor.Process) error) {
	var mixes []*mix
	for _, m := range b.mixes {
		if m.host == h {
			mixes = append(mixes, m)
			m.failed = 0
			must(t, b.get(t, m.client, "steady", m.open(t, "open", "80"), 1))
		}
	}
	was := h.address(t, "open")
	must(t, end(h.proc))
	must(t, h.start())
	begin := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.wait(deadline(t, startTimeout), 4); err != nil {
			t.Error(err)
		}
		t.Logf("%s has published after %v", h.name, time.Since(begin).Round(time.Millisecond))
	})
	for _, m := range mixes {
		wg.Go(func() {
			// As a user does who asks again at once.
			ctx := deadline(t, bulkTimeout)
			for {
				err := download(ctx, viaGo, proxyURL(m.client.SOCKS, "steady"), "http://"+was+"/body", "restart", 1000)
				if err == nil {
					m.back = time.Since(begin)
					break
				}
				if ctx.Err() != nil {
					t.Errorf("%s: %v", programOf(m.client), err)
					break
				}
				m.failed++
				t.Logf("%s: after %v: %v", programOf(m.client), time.Since(begin).Round(time.Millisecond), err)
				<-time.After(200 * time.Millisecond)
			}
			t.Logf("%s has come back after %v", programOf(m.client), m.back.Round(time.Millisecond))
		})
	}
	wg.Wait()
	if now := h.address(t, "open"); now != was {
		t.Errorf("the address was %s and is %s", was, now)
	}
}
