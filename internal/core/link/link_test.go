package link_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// ids are made before any bubble begins: keys take time.
var ids = fakepeer.Identities(3)

var (
	clientIP  = netip.MustParseAddr("192.0.2.1")
	relayAddr = netip.MustParseAddrPort("192.0.2.2:9001")
)

// A world is a client and a relay in a network of their own. It is to be made inside a bubble.
type world struct {
	t             testing.TB
	net           *memnet.Net
	client, guard *memnet.Host
	relay         *fakepeer.Relay
	registry      *link.Registry
	events        *event.Sub
	target        link.Target

	mu       sync.Mutex
	handlers []*handler
}

// newWorld makes a world; change may change the registry's configuration.
func newWorld(t testing.TB, peer fakepeer.Config, change func(*link.Config)) *world {
	w := &world{t: t, net: memnet.New(memnet.Link{})}
	w.client = w.net.Host("client", clientIP)
	w.guard = w.net.Host("relay", relayAddr.Addr())
	w.relay = fakepeer.New(t, peer)
	w.listen(w.relay, relayAddr)
	bus := new(event.Bus)
	w.events = bus.Subscribe(1000)
	cfg := link.Config{
		Env:        env.Env{Net: w.client, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		NewHandler: w.newHandler,
		Events:     bus,
	}
	if change != nil {
		change(&cfg)
	}
	w.registry = link.NewRegistry(cfg)
	t.Cleanup(w.registry.Close)
	id := w.relay.Identity()
	w.target = link.Target{
		Addrs: []netip.AddrPort{relayAddr},
		RSA:   id.RSA(), HasRSA: true, Ed: id.Ed(), HasEd: true,
	}
	return w
}

func (w *world) listen(r *fakepeer.Relay, at netip.AddrPort) {
	w.t.Helper()
	l, err := w.guard.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		w.t.Fatal(err)
	}
	r.Serve(l)
}

// get returns a link to the relay.
func (w *world) get() *link.Link {
	w.t.Helper()
	l, err := w.registry.Get(context.Background(), w.target)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// open returns a link and the relay's end of it.
func (w *world) open() (*link.Link, *fakepeer.Conn) {
	w.t.Helper()
	l := w.get()
	w.relay.WaitFor("NETINFO", func(s *fakepeer.Stats) bool { return s.Open == 1 })
	return l, w.relay.Conns()[0]
}

// handler returns the handler of the first link.
func (w *world) handler() *handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.handlers[0]
}

func (w *world) newHandler(l *link.Link) link.Handler {
	h := &handler{link: l}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers = append(w.handlers, h)
	return h
}

// A handler keeps what a link brings.
type handler struct {
	link *link.Link

	mu     sync.Mutex
	cells  []got
	closed []error
}

type got struct {
	circ cell.CircID
	cmd  cell.Command
	body [cell.BodyLen]byte
}

func (h *handler) Batch(b *link.Batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range b.Cells {
		h.cells = append(h.cells, got{c.Circ, c.Cmd, *c.Body})
		clear(c.Body[:]) // it is ours for the call
	}
}

func (h *handler) Closed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = append(h.closed, err)
}

func (h *handler) got() []got {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.cells)
}

// closedWith returns why the link ended, once all goroutines of the bubble rest; nil while it has not.
func (h *handler) closedWith(t testing.TB) error {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.closed) > 1 {
		t.Errorf("Closed called %d times", len(h.closed))
	}
	if len(h.closed) == 0 {
		return nil
	}
	return h.closed[0]
}

// bubble runs f in a bubble as a subtest.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func isProtocolError(err error) bool {
	_, ok := errors.AsType[*link.ProtocolError](err)
	return ok
}
