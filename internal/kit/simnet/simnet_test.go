package simnet_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
)

// begin makes a network, which the end of the test ends. If the test fails, the last events are printed.
func begin(t *testing.T, cfg simnet.Config) *simnet.Net {
	t.Helper()
	n, err := simnet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		for _, e := range n.Errors() {
			t.Errorf("log: %s", e)
		}
		if t.Failed() {
			t.Logf("seed %d, warnings %v, the last events:\n%s", cfg.Seed, n.Warnings(), n.Trace(200))
			t.Logf("the last cells:\n%s", n.Cells(50))
		}
	})
	return n
}

// ready waits for a network to work.
func ready(t *testing.T, n *simnet.Net, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := n.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

const page = "whatever is fetched"

// serve gives page to whoever connects to l.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			fmt.Fprint(c, page)
		}()
	}
}

// fetch gets the page through the network, on a circuit of its own.
func fetch(ctx context.Context, client *simnet.Node, addr string) error {
	return fetchBy(ctx, client.DialAlone, addr)
}

// fetchBy gets the page by a way to dial.
func fetchBy(ctx context.Context, dial func(context.Context, string) (net.Conn, error), addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	b, err := io.ReadAll(c)
	if err != nil || string(b) != page {
		return fmt.Errorf("got %q: %w", b, err)
	}
	return nil
}

// A client in a network of its own fetches a page through three hops.
func TestThreeHops(t *testing.T) {
	small := simnet.Config{Authorities: 3, Relays: 2, Exits: 2, Clients: 1}
	memory := func(t *testing.T, cfg simnet.Config) {
		cfg.Link = memnet.Link{Latency: 20 * time.Millisecond}
		n := begin(t, cfg)
		l, err := n.Host("server").Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		go serve(l)
		t.Cleanup(func() { l.Close() })
		start := time.Now()
		ready(t, n, time.Minute)
		t.Logf("ready after %v", time.Since(start))
		if err := fetch(t.Context(), n.Client(0), "198.18.0.1:80"); err != nil {
			t.Error(err)
		}
	}
	t.Run("virtual", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { memory(t, small) })
	})
	t.Run("virtual TLS", func(t *testing.T) {
		cfg := small
		cfg.TLS = true
		synctest.Test(t, func(t *testing.T) { memory(t, cfg) })
	})
	t.Run("loopback", func(t *testing.T) {
		cfg := small
		cfg.Loopback, cfg.TLS = true, true
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go serve(l)
		n := begin(t, cfg)
		start := time.Now()
		ready(t, n, time.Minute)
		t.Logf("ready after %v", time.Since(start))
		if err := fetch(t.Context(), n.Client(0), l.Addr().String()); err != nil {
			t.Error(err)
		}
	})
}
