package circuit_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Keys of the relay in the middle, made before any bubble begins.
var (
	middleID = fakepeer.NewIdentity()
	onion    = must(x25519.Generate(rand.Reader))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var middleAddr = netip.MustParseAddrPort("192.0.2.50:9001")

// A middle is a relay of ours between the client and the fake relay of a world.
type middle struct {
	*world
	host   *memnet.Host
	links  *link.Registry
	memory *memacct.Account

	size    int64 // of what streams that end at the relay are sent
	streams sync.WaitGroup

	mu     sync.Mutex // guards closed
	closed []*circuit.RelayCircuit
}

// ends is what the relay does with circuits that end there.
type ends struct {
	relay.Middle
	m *middle
}

func (e ends) Closed(c *circuit.RelayCircuit) {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	e.m.closed = append(e.m.closed, c)
}

// Stream implements relay.Ends: whoever connects is sent noise.
func (e ends) Stream(_ *circuit.RelayCircuit, in stream.Incoming) {
	e.m.streams.Go(func() {
		defer in.Close()
		if in.Accept(relaymsg.Connected{}) == nil {
			io.Copy(in, plain{noise(4, e.m.size)})
		}
	})
}

// overflowed returns how many of the relay's circuits are closed, and how many of them for want of room.
func (m *middle) overflowed() (closed, overflowed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.closed {
		if c.Overflowed() {
			overflowed++
		}
	}
	return len(m.closed), overflowed
}

func newMiddle(t *testing.T, cfg fakepeer.Config) *middle {
	m := &middle{world: newWorld(t, cfg), memory: memacct.New(memacct.Config{Log: slog.New(slog.DiscardHandler)})}
	m.host = m.net.Host("middle", middleAddr.Addr())
	log := slog.New(failing{t})
	creds := (*link.Credentials)(middleID.Credentials())
	r := relay.New(relay.Config{
		Log: log, Ends: ends{m: m}, Workers: 1, MayExtend: func(netip.AddrPort) bool { return true },
		Keys: func() *relay.Keys {
			return &relay.Keys{RSA: middleID.RSA(), Ed: middleID.Ed(), Onion: []*x25519.KeyPair{onion}}
		},
	})
	m.links = link.NewRegistry(link.Config{
		Env:         env.Env{Net: m.host, Now: time.Now, Log: log},
		NewHandler:  func(l *link.Link) link.Handler { return circuit.NewRelayTable(l, log, r) },
		Credentials: func() *link.Credentials { return creds },
		Memory:      m.memory,
	})
	r.SetLinks(m.links)
	l, err := m.host.Listen(t.Context(), "tcp", middleAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { m.links.Accept(c) })
		}
	})
	t.Cleanup(func() { l.Close(); cancel(); m.links.Close(); wg.Wait(); m.streams.Wait() })
	return m
}

// through makes a circuit over the relay to the fake one.
func (m *middle) through() *circuit.Circuit {
	m.t.Helper()
	c := m.to()
	h := hop(0, false)
	h.Addrs = []netip.AddrPort{relayAddr}
	if err := c.Extend(m.t.Context(), h); err != nil {
		m.t.Fatal(err)
	}
	return c
}

// to makes a circuit that ends at the relay.
func (m *middle) to() *circuit.Circuit {
	m.t.Helper()
	addrs := []netip.AddrPort{middleAddr}
	l, err := m.registry.Get(m.t.Context(), link.Target{Addrs: addrs, RSA: middleID.RSA(), HasRSA: true})
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := circuit.Create(m.t.Context(), l, circuit.Hop{RSA: middleID.RSA(), NTor: onion.Public(), Addrs: addrs}, circuit.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// flood sends relay cells over a circuit, whatever its windows say.
func flood(c *circuit.Circuit, cells int) {
	for range cells {
		c.Link().Out().AppendCell(c.ID(), cell.CmdRelay, make([]byte, cell.BodyLen))
	}
}

// onlyCount makes the fake relay look at no relay cell.
var onlyCount = fakepeer.Config{Hooks: fakepeer.Hooks{
	Cell: func(_ *fakepeer.Conn, c cell.Cell) bool { return c.Cmd == cell.CmdRelay },
}}

// A client that floods a circuit whose next relay does not read loses that circuit, and memory stays bounded. Other circuits
// do not notice.
func TestCircuitFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMiddle(t, onlyCount)
		good, bad := m.through(), m.through()
		synctest.Wait()
		m.net.Cut(m.host, m.guard)
		var most int64
		for range 100 {
			flood(bad, 100)
			synctest.Wait()
			most = max(most, m.memory.Used()["circuit queues"])
		}
		// Every chunk is at least half full.
		if most > 2*2500*514 {
			t.Errorf("%d bytes were in queues", most)
		}
		if n := m.memory.Used()["circuit queues"]; n != 0 {
			t.Errorf("%d bytes are in queues in the end", n)
		}
		var closed *circuit.PeerClosedError
		if !errors.As(bad.Err(), &closed) || closed.Reason != cell.DestroyResourceLimit {
			t.Errorf("the circuit ended with %v", bad.Err())
		}
		if closed, overflowed := m.overflowed(); closed != 1 || overflowed != 1 {
			t.Errorf("%d circuits closed, %d of them for want of room", closed, overflowed)
		}
		if good.Err() != nil {
			t.Errorf("the other circuit ended with %v", good.Err())
		}
		m.net.Heal(m.host, m.guard)
		flood(good, 1000)
		time.Sleep(time.Minute)
		good.Close()
		synctest.Wait()
		m.mu.Lock()
		began, cells, waited := m.closed[1].CellStats()
		m.mu.Unlock()
		if cells < 1000 || waited > time.Second || time.Since(began) != time.Minute {
			t.Errorf("the other circuit, of %v, has sent %d cells that waited %v", began, cells, waited)
		}
		m.relay.WaitFor("cells", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdRelay] >= 1000 })
	})
}

// So does one that asks for more than it reads.
func TestCircuitFloodBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMiddle(t, fakepeer.Config{Window: 1 << 20})
		c := m.through()
		synctest.Wait()
		m.net.Cut(m.host, m.client)
		p := m.relay.Circuit()
		for range 5000 {
			p.SendBody(0, [cell.BodyLen]byte{})
		}
		m.relay.WaitFor("DESTROY", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdDestroy] == 1 })
		synctest.Wait()
		if closed, overflowed := m.overflowed(); closed != 1 || overflowed != 0 {
			t.Errorf("%d circuits closed, %d of them on the client's side", closed, overflowed)
		}
		if n := m.memory.Used()["circuit queues"]; n != 0 {
			t.Errorf("%d bytes are in queues", n)
		}
		m.net.Heal(m.host, m.client)
		<-c.Done()
		var closed *circuit.PeerClosedError
		if !errors.As(c.Err(), &closed) || closed.Reason != cell.DestroyResourceLimit {
			t.Errorf("the circuit ended with %v", c.Err())
		}
	})
}

// When memory is short, the circuit whose cells have waited longest goes first, and no more than needed.
//
// C tor: circuits_handle_oom
func TestEvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMiddle(t, onlyCount)
		var circs []*circuit.Circuit
		for range 5 {
			circs = append(circs, m.through())
		}
		synctest.Wait()
		m.net.Cut(m.host, m.guard)
		flood(circs[4], 1500) // more than the socket takes
		for _, i := range []int{2, 0, 1} {
			time.Sleep(time.Second)
			flood(circs[i], 500)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		before := m.memory.Used()["circuit queues"]
		for _, step := range []struct {
			bytes int64
			gone  []int
		}{{0, nil}, {1, []int{4}}, {1, []int{2}}, {1 << 30, []int{0, 1}}} {
			e := circuit.Evict(m.links.Links(), time.Now(), step.bytes)
			after := m.memory.Used()["circuit queues"]
			if e.Circuits != len(step.gone) || e.Streams != 0 || e.Bytes != before-after {
				t.Errorf("%+v for %d bytes; the account says %d", e, step.bytes, before-after)
			}
			before = after
			synctest.Wait()
			for _, i := range step.gone {
				var closed *circuit.PeerClosedError
				if !errors.As(circs[i].Err(), &closed) || closed.Reason != cell.DestroyResourceLimit {
					t.Errorf("circuit %d ended with %v", i, circs[i].Err())
				}
			}
		}
		if circs[3].Err() != nil {
			t.Errorf("a circuit that had nothing waiting ended with %v", circs[3].Err())
		}
	})
}

// Of a circuit that holds data for a stream which nobody reads, the stream goes first.
func TestEvictStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memacct.New(memacct.Config{Log: slog.New(slog.DiscardHandler)})
		w := newWorldWith(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
			return fakepeer.Source(func() io.Reader { return noise(1, 1<<20) })
		}}, func(cfg *link.Config) { cfg.Memory = memory })
		c := w.build(1)
		first := w.connect(c)
		synctest.Wait()
		time.Sleep(time.Second)
		second := w.connect(c)
		synctest.Wait()
		each := memory.Used()["stream buffers"] / 2
		if each < 500*498 || each > 500*498+16<<10 { // a window
			t.Fatalf("%d bytes are accounted for, of each stream", each)
		}
		e := circuit.Evict(w.registry.Links(), time.Now(), 1)
		if e != (circuit.Evicted{Bytes: each, Streams: 1}) || memory.Used()["stream buffers"] != each {
			t.Errorf("%+v; %d bytes are left", e, memory.Used()["stream buffers"])
		}
		w.relay.WaitFor("END", func(s *fakepeer.Stats) bool { return s.Msgs[relaymsg.CmdEnd] == 1 })
		if n, err := first.Read(make([]byte, 10)); n != 0 || err == nil {
			t.Errorf("the stream that went gives %d bytes, %v", n, err)
		}
		if n, err := io.Copy(io.Discard, second); n != 1<<20 || err != nil {
			t.Errorf("the other one gives %d bytes, %v", n, err)
		}
		if n := memory.Used()["stream buffers"]; n != 0 {
			t.Errorf("%d bytes are left", n)
		}
		synctest.Wait() // for the SENDMEs to leave
		if e := circuit.Evict(w.registry.Links(), time.Now(), 1); e != (circuit.Evicted{}) || c.Err() != nil {
			t.Errorf("%+v from nothing; %v", e, c.Err())
		}
	})
}

// Whoever writes to a stream waits when the circuit's queue is full, and goes on when it has drained.
func TestStreamBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error)
		h := sha256.New()
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
			return fakepeer.Sink(h, func(err error) { done <- err })
		}})
		c := w.build(1)
		s := w.connect(c)
		synctest.Wait()
		w.net.Cut(w.client, w.guard)
		const size = 800 * 498 // within the windows of circuit and stream, but for the latter's
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := io.Copy(plainWriter{s}, noise(3, size)); err != nil {
				t.Error(err)
			}
			s.CloseWrite()
		})
		time.Sleep(time.Second)
		if n := c.Link().Out().Len(); n > 256+link.ChunkCells {
			t.Errorf("%d cells wait", n)
		}
		w.net.Heal(w.client, w.guard)
		if err := <-done; err != nil || [sha256.Size]byte(h.Sum(nil)) != sum(noise(3, size)) {
			t.Errorf("the relay got something else: %v", err)
		}
		wg.Wait()
	})
}

// So does an exit, of which the client has asked for more than its link takes.
func TestExitBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMiddle(t, fakepeer.Config{})
		m.size = 1 << 20
		s := m.connect(m.to())
		synctest.Wait()
		m.net.Cut(m.host, m.client)
		done := make(chan [sha256.Size]byte)
		var wg sync.WaitGroup
		wg.Go(func() { done <- sum(s) })
		time.Sleep(time.Second)
		if n := m.links.Links()[0].Out().Len(); n > 256+link.ChunkCells {
			t.Errorf("%d cells wait", n)
		}
		m.net.Heal(m.host, m.client)
		if <-done != sum(noise(4, m.size)) {
			t.Error("the client got something else")
		}
		wg.Wait()
	})
}

// A client's own circuit is bounded too: what opens and ends streams is outside all windows.
func TestOwnCircuitFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(1)
		synctest.Wait()
		w.net.Cut(w.client, w.guard)
		n := 0
		for ; c.Err() == nil && n < 10_000; n++ {
			s, err := c.Tunnel().Connect(relaymsg.Begin{Addr: "example.com:80"})
			if err == nil {
				s.Close()
			}
		}
		// Two cells each; some hundreds are on the wire or about to be.
		if !errors.Is(c.Err(), link.ErrQueueFull) || n < 1250 || n > 1250+600 {
			t.Errorf("after %d streams: %v", n, c.Err())
		}
		if n := c.Link().Out().Len(); n > 1 {
			t.Errorf("%d cells wait for a circuit that is over", n)
		}
	})
}
