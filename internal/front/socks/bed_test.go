package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// fakeTor is a Connector whose answers a test writes. Functions that are nil must not be called.
type fakeTor struct {
	dial    func(context.Context, Request) (Stream, error)
	resolve func(context.Context, Request) ([]netip.Addr, uint32, error)
	ptr     func(context.Context, Request) ([]string, error)
}

func (f *fakeTor) Dial(ctx context.Context, req Request) (Stream, error) { return f.dial(ctx, req) }
func (f *fakeTor) Resolve(ctx context.Context, req Request) ([]netip.Addr, uint32, error) {
	return f.resolve(ctx, req)
}
func (f *fakeTor) ResolvePTR(ctx context.Context, req Request) ([]string, error) {
	return f.ptr(ctx, req)
}

// bed is a Server on a network of its own, in a synctest bubble.
type bed struct {
	*testing.T
	host *memnet.Host
	addr string // of the server
	tor  *fakeTor
	stop func() // ends the server and waits for it
}

// run runs f in a bubble with a server that has cfg.
func run(t *testing.T, cfg Config, f func(b *bed)) {
	t.Helper()
	runAt(t, "127.0.0.1:0", cfg, f)
}

func runAt(t *testing.T, addr string, cfg Config, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{T: t, host: memnet.New(memnet.Link{}).Host("local"), tor: &fakeTor{}}
		l, err := b.host.Listen(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		b.addr = l.Addr().String()
		s := New(b.tor, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Serve(ctx, l); !errors.Is(err, context.Canceled) {
				t.Errorf("Serve: %v", err)
			}
		})
		b.stop = func() { cancel(); wg.Wait() }
		defer b.stop()
		f(b)
	})
}

// connect connects an application.
func (b *bed) connect() *app {
	b.Helper()
	c, err := b.host.Dial(b.Context(), "tcp", b.addr)
	if err != nil {
		b.Fatal(err)
	}
	return &app{b, c.(Stream)}
}

// pair returns a stream and its far end.
func (b *bed) pair() (near, far Stream) {
	b.Helper()
	l, err := b.host.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := b.host.Dial(b.Context(), "tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	return c.(Stream), d.(Stream)
}

// dialOne lets the next Dial succeed, and returns the far end of its stream.
func (b *bed) dialOne() (far Stream) {
	near, far := b.pair()
	b.tor.dial = func(context.Context, Request) (Stream, error) { return near, nil }
	return far
}

// app is an application's side of a connection.
type app struct {
	b *bed
	Stream
}

func (a *app) send(s string) {
	a.b.Helper()
	send(a.b, a, s)
}

func (a *app) want(s string) {
	a.b.Helper()
	want(a.b, a, s)
}

func (a *app) wantEnd() {
	a.b.Helper()
	wantEnd(a.b, a)
}

func send(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Errorf("sending %.40q: %v", s, err)
	}
}

// want reads exactly s.
func want(t testing.TB, r io.Reader, s string) {
	t.Helper()
	got := make([]byte, len(s))
	if n, err := io.ReadFull(r, got); string(got[:n]) != s {
		t.Errorf("got %.80q, %v, want %.80q", got[:n], err, s)
	}
}

// wantEnd reads the orderly end of the data.
func wantEnd(t testing.TB, r io.Reader) {
	t.Helper()
	if got, err := io.ReadAll(r); len(got) > 0 || err != nil {
		t.Errorf("got %.80q, %v, want the end", got, err)
	}
}

// ask plays a whole handshake and returns the answer.
func (a *app) ask(req socksmsg.Request) (socksmsg.Reply, error) {
	a.b.Helper()
	c := socksmsg.Client{Request: req}
	out, err := c.Start()
	var buf []byte
	for err == nil && !c.Done() {
		a.send(string(out))
		var n int
		for {
			if n, out, err = c.Step(buf); n > 0 || err != nil {
				break
			}
			one := make([]byte, 1)
			if _, err := io.ReadFull(a, one); err != nil {
				return socksmsg.Reply{}, err
			}
			buf = append(buf, one...)
		}
		buf = buf[n:]
	}
	return c.Reply(), err
}

var example = socksmsg.Request{Version: 5, Command: socksmsg.Connect, Host: "example.com", Port: 80}

const (
	connectExample = "\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x00\x50"
	ok5            = "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00" // method and reply
)

var _ net.Conn = (*app)(nil)
