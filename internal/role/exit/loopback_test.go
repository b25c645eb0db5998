package exit

import (
	"context"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// newLoopback makes a world in which the exit connects by the operating system, to wherever it is told.
func newLoopback(t testing.TB, cc bool) *world {
	return newWorldOver(t, memnet.Link{}, cc, func(cfg *Config) {
		cfg.Env.Net = netx.OS{}
		cfg.Policy = exitpolicy.Policy{{Accept: true, Prefix: netip.MustParsePrefix("0.0.0.0/0"), Ports: exitpolicy.AllPorts}}
	})
}

// listen serves connections on a port of this host, and returns its address.
func listen(t testing.TB, handle func(*net.TCPConn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// closeStreams ends the exit's streams before the servers are waited for.
func (w *world) closeStreams(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.exit.Run(ctx)
	if all, waiting := w.exit.Streams(); all != 0 || waiting != 0 {
		t.Errorf("%d streams are left, %d waiting", all, waiting)
	}
}

// Sockets of the operating system, both ways.
func TestLoopback(t *testing.T) {
	for name, cc := range map[string]bool{"fixed windows": false, "congestion control": true} {
		t.Run(name, func(t *testing.T) {
			w := newLoopback(t, cc)
			to := listen(t, func(c *net.TCPConn) { io.Copy(c, c) })
			c := w.build(cc, 0, 1)
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					if err := exchange(w.connect(c, to), byte(i), 4<<20); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			w.closeStreams(t)
		})
	}
}

// How a connection ends is told, and what came before is delivered.
func TestLoopbackEnds(t *testing.T) {
	answer := make([]byte, 100_000)
	for _, tt := range []struct {
		name string
		end  func(*net.TCPConn)
		want []relaymsg.EndReason // any of them; 0 is EOF
	}{
		{"close", func(*net.TCPConn) {}, []relaymsg.EndReason{0}},
		{"close of the one direction", func(c *net.TCPConn) { c.CloseWrite(); io.Copy(io.Discard, c) }, []relaymsg.EndReason{0}},
		// The kernel may be the first to tell the exit.
		{"reset", func(c *net.TCPConn) { time.Sleep(100 * time.Millisecond); c.SetLinger(0) }, []relaymsg.EndReason{relaymsg.EndConnReset}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newLoopback(t, false)
			to := listen(t, func(c *net.TCPConn) {
				c.Write(answer)
				tt.end(c)
			})
			s := w.connect(w.build(false, 0, 1), to)
			got, err := io.ReadAll(s)
			ok := false
			for _, r := range tt.want {
				ok = ok || r == reasonIn(err)
			}
			if len(got) != len(answer) || !ok || (err != nil) != (reasonIn(err) != 0) {
				t.Errorf("%d bytes, %v; want %d, %v", len(got), err, len(answer), tt.want)
			}
			w.closeStreams(t)
		})
	}
}

// A server that answers and goes, and does not care for what the client still sends: the answer arrives.
func TestEarlyAnswer(t *testing.T) {
	answer := make([]byte, 10_000) // what the kernels have no reason to hold back
	w := newLoopback(t, false)
	to := listen(t, func(c *net.TCPConn) {
		io.ReadFull(c, make([]byte, 1000))
		c.Write(answer)
	})
	c := w.build(false, 0, 1)
	for range 20 {
		s := w.connect(c, to)
		var wg sync.WaitGroup
		wg.Go(func() { s.Write(make([]byte, 1<<20)) })
		if got, err := io.ReadAll(s); len(got) != len(answer) || err != nil && reasonIn(err) != relaymsg.EndConnReset {
			t.Errorf("%d bytes of the answer, %v", len(got), err)
		}
		wg.Wait()
	}
	w.closeStreams(t)
}

// Nobody listens.
func TestLoopbackRefused(t *testing.T) {
	w := newLoopback(t, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := w.begin(w.build(false, 0, 1), l.Addr().String(), 0).Wait(t.Context()); reasonIn(err) != relaymsg.EndConnectRefused {
		t.Errorf("%v", err)
	}
}

// An idle stream has two goroutines, and neither holds a buffer.
func TestIdle(t *testing.T) {
	w := newLoopback(t, false)
	to := listen(t, func(c *net.TCPConn) { c.Read(make([]byte, 1)) })
	c := w.build(false, 0, 1)
	w.connect(c, to)
	const n = 200
	goroutines, heap := runtime.NumGoroutine(), inUse()
	var list []*stream.Stream
	for range n {
		list = append(list, w.connect(c, to))
	}
	grown := int(inUse()-heap) / n
	if g := runtime.NumGoroutine() - goroutines; g > 3*n+n/2 { // two, and the server's; and some that are about to end
		t.Errorf("%d goroutines for %d streams", g, n)
	}
	if grown > 10<<10 { // client, exit and server together
		t.Errorf("%d bytes a stream", grown)
	}
	t.Logf("%d bytes a stream, at both ends, without stacks", grown)
	runtime.KeepAlive(list)
	w.closeStreams(t)
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Bytes go through a client, a relay and the exit to a socket on this host, or from there: all of it in this process.
func BenchmarkStream(b *testing.B) {
	const size = 1 << 20
	block := make([]byte, size)
	for name, cc := range map[string]bool{"windows": false, "cc": true} {
		b.Run("up/"+name, func(b *testing.B) {
			w := newLoopback(b, cc)
			arrived := make(chan struct{})
			s := w.connect(w.build(cc, 0, 1), listen(b, func(c *net.TCPConn) {
				for {
					if _, err := io.CopyN(io.Discard, c, size); err != nil {
						return
					}
					arrived <- struct{}{}
				}
			}))
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				s.Write(block)
				<-arrived
			}
			w.closeStreams(b)
		})
		b.Run("down/"+name, func(b *testing.B) {
			w := newLoopback(b, cc)
			s := w.connect(w.build(cc, 0, 1), listen(b, func(c *net.TCPConn) {
				for {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			}))
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.CopyN(io.Discard, s, size); err != nil {
					b.Fatal(err)
				}
			}
			w.closeStreams(b)
		})
	}
}

// BenchmarkOpen measures a stream that is opened and closed.
func BenchmarkOpen(b *testing.B) {
	w := newLoopback(b, false)
	to := listen(b, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	c := w.build(false, 0, 1)
	b.ReportAllocs()
	for b.Loop() {
		w.connect(c, to).Close()
	}
	w.closeStreams(b)
}
