package socks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// https://spec.torproject.org/socks-extensions.html#optimistic-data
func TestEarlyData(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 4<<10) // 64 KiB, more than is taken early
	for _, tt := range []struct {
		name         string
		with, during string // what the application sends with its request, and while it waits
		tries        int    // attempts that ask for early data
		early        string // what the last attempt gets
	}{
		{"none", "", "", 1, ""},
		{"with the request", "GET /", "", 1, "GET /"},
		{"while waiting", "", "GET /", 1, "GET /"},
		{"both", "GET", " /", 1, "GET /"},
		{"two attempts", "GET", " /", 2, "GET /"},
		{"attempts that want none", "GET", " /", 0, ""},
		{"much with the request", big, "", 1, big[:maxEarly]},
		{"much while waiting", "x", big, 1, ("x" + big)[:maxEarly]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, Config{}, func(b *bed) {
				near, far := b.pair()
				b.tor.dial = func(_ context.Context, req Request) (Stream, error) {
					var last []byte
					for range tt.tries {
						time.Sleep(time.Second)
						early := req.Early()
						if !bytes.HasPrefix(early, last) {
							t.Errorf("%.20q after %.20q", early, last)
						}
						last = early
					}
					if string(last) != tt.early {
						t.Errorf("early data %.20q (%d bytes), want %.20q (%d bytes)", last, len(last), tt.early, len(tt.early))
					}
					time.Sleep(time.Second)
					near.Write(last)
					return near, nil
				}
				a := b.connect()
				a.send(connectExample + tt.with)
				synctest.Wait()
				a.send(tt.during)
				a.want(ok5)
				a.send("and so on")
				a.CloseWrite()
				want(t, far, tt.with+tt.during+"and so on")
				wantEnd(t, far)
				far.Close()
				a.wantEnd()
			})
		})
	}
}

func TestHalfClose(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		far := b.dialOne()
		a := b.connect()
		if _, err := a.ask(example); err != nil {
			t.Fatal(err)
		}
		a.send("question")
		a.CloseWrite()
		want(t, far, "question")
		wantEnd(t, far)
		time.Sleep(time.Hour)
		send(t, far, "answer")
		far.Close()
		a.want("answer")
		a.wantEnd()
	})
	run(t, Config{}, func(b *bed) {
		far := b.dialOne()
		a := b.connect()
		if _, err := a.ask(example); err != nil {
			t.Fatal(err)
		}
		send(t, far, "greeting")
		far.CloseWrite()
		a.want("greeting")
		a.wantEnd()
		a.send("more")
		want(t, far, "more")
		a.Close()
		wantEnd(t, far)
	})
}

// A failure of one side ends the other.
func TestFailureEndsBothSides(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		near, far := b.pair()
		b.tor.dial = func(context.Context, Request) (Stream, error) { return failing{near}, nil }
		a := b.connect()
		if _, err := a.ask(example); err != nil {
			t.Fatal(err)
		}
		a.send("x")
		a.wantEnd()
		wantEnd(t, far)
	})
}

// failing is a stream that cannot be written to.
type failing struct{ Stream }

func (failing) Write([]byte) (int, error) { return 0, errors.New("reset") }

// fast is a stream that copies by itself.
type fast struct {
	Stream
	used chan string
}

func (f fast) ReadFrom(r io.Reader) (int64, error) {
	f.used <- "ReadFrom"
	return io.Copy(f.Stream, r)
}

func (f fast) WriteTo(w io.Writer) (int64, error) {
	f.used <- "WriteTo"
	return io.Copy(w, f.Stream)
}

func TestStreamCopies(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		near, far := b.pair()
		f := fast{near, make(chan string, 2)}
		b.tor.dial = func(context.Context, Request) (Stream, error) { return f, nil }
		a := b.connect()
		if _, err := a.ask(example); err != nil {
			t.Fatal(err)
		}
		a.send("ping")
		a.CloseWrite()
		want(t, far, "ping")
		wantEnd(t, far)
		send(t, far, "pong")
		far.Close()
		a.want("pong")
		a.wantEnd()
		if x, y := <-f.used, <-f.used; x == y {
			t.Errorf("%s was used twice", x)
		}
	})
}

// A connection that cannot be closed by halves is closed as a whole.
func TestPipe(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		near, far := b.pair()
		app, ours := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			b.tor.dial = func(context.Context, Request) (Stream, error) { return near, nil }
			New(b.tor, Config{}).serveConn(b.Context(), ours)
		})
		go send(t, app, connectExample)
		want(t, app, "\x05\x00\x05\x00\x00\x04"+strings.Repeat("\x00", 18))
		far.Close()
		wantEnd(t, app)
		wg.Wait()
	})
}

// BenchmarkSplice carries data from an application to a stream, both over loopback sockets.
func BenchmarkSplice(b *testing.B) {
	app, ours := socketPair(b)
	near, far := socketPair(b)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { splice(slog.New(slog.DiscardHandler), ours, near.(Stream), nil) })
	src, dst := make([]byte, 1<<20), make([]byte, 1<<20)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		wg.Go(func() { app.Write(src) })
		if _, err := io.ReadFull(far, dst); err != nil {
			b.Fatal(err)
		}
	}
	app.Close()
	far.Close()
}

func socketPair(b *testing.B) (x, y net.Conn) {
	l, err := netx.OS{}.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if x, err = (netx.OS{}).Dial(b.Context(), "tcp", l.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if y, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	return x, y
}
