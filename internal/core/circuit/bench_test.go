package circuit

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const dataLen = relaymsg.MaxBody // bytes in a full DATA cell

// A bench is an open stream over real sockets, to a relay that plays all hops.
type bench struct {
	relay  *fakepeer.Relay
	circ   *Circuit
	table  *Table // a second one with the same circuit: the first belongs to the link's reader
	stream *stream.Stream
	last   int // the last hop
}

func newBench(tb testing.TB, hops int, cfg fakepeer.Config) *bench {
	ids := fakepeer.Identities(3)
	cfg.Identity, cfg.Others = ids[0], ids[1:]
	b := &bench{relay: fakepeer.New(tb, cfg), last: hops - 1}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b.relay.Serve(l)
	log := slog.New(slog.DiscardHandler)
	registry := link.NewRegistry(link.Config{
		Env:        env.Env{Net: netx.OS{}, Now: time.Now, Log: log},
		NewHandler: func(l *link.Link) link.Handler { return NewTable(l, log) },
	})
	tb.Cleanup(registry.Close)
	ctx := context.Background()
	target := link.Target{
		Addrs: []netip.AddrPort{netip.MustParseAddrPort(l.Addr().String())},
		RSA:   ids[0].RSA(), HasRSA: true,
	}
	lk, err := registry.Get(ctx, target)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range hops {
		h := Hop{RSA: ids[i].RSA(), NTor: ids[i].NTor(), Addrs: target.Addrs}
		if i == 0 {
			b.circ, err = Create(ctx, lk, h, Options{})
		} else {
			err = b.circ.Extend(ctx, h)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	b.table = NewTable(lk, log)
	b.table.halves[b.circ.id] = &b.circ.recv.Half
	if b.stream, err = b.circ.Tunnel().Connect(relaymsg.Begin{Addr: "example.com:80"}); err != nil {
		tb.Fatal(err)
	}
	if err := b.stream.Wait(ctx); err != nil {
		tb.Fatal(err)
	}
	return b
}

// batches returns n batches of DATA for the stream, as the reader of the link would bring them.
func (b *bench) batches(n, cells int) []link.Batch {
	p := b.relay.Circuit()
	m := relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: b.stream.ID(), Body: make([]byte, dataLen)}
	list := make([]link.Batch, n)
	for i := range list {
		for range cells {
			body := p.Seal(b.last, m)
			list[i].Cells = append(list[i].Cells, link.Cell{Circ: b.circ.ID(), Cmd: cell.CmdRelay, Body: &body})
		}
	}
	return list
}

// deliver gives a batch to the circuit, and reads what it brought from the stream.
func (b *bench) deliver(tb testing.TB, batch *link.Batch, p []byte) {
	b.table.Batch(batch)
	if _, err := io.ReadFull(b.stream, p[:len(batch.Cells)*dataLen]); err != nil {
		tb.Fatal(err)
	}
}

// Receiving a DATA cell allocates nothing. One cell in a hundred makes a SENDME: what its way to the other side of TLS
// costs vanishes in the average.
func TestReceiveAllocations(t *testing.T) {
	b := newBench(t, 3, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Open }})
	const runs = 2000
	batches := b.batches(runs+1, 1)
	p := make([]byte, dataLen)
	i := 0
	if n := testing.AllocsPerRun(runs, func() {
		b.deliver(t, &batches[i], p)
		i++
	}); n != 0 {
		t.Errorf("%v allocations per cell", n)
	}
}

// Nor does sending one.
func TestSendAllocations(t *testing.T) {
	b := newBlackHole(t, 3)
	p := make([]byte, dataLen)
	if n := testing.AllocsPerRun(2000, func() { b.send(t, p) }); n != 0 {
		t.Errorf("%v allocations per cell", n)
	}
}

// BenchmarkReceive measures a cell's way from the link's reader to the stream's: ciphers, digest, windows, buffer. TLS
// is not in it.
func BenchmarkReceive(b *testing.B) {
	for _, hops := range []int{1, 3} {
		b.Run(strconv.Itoa(hops)+"hops", func(b *testing.B) {
			const cells, ahead = 124, 64
			w := newBench(b, hops, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Open }})
			p := make([]byte, cells*dataLen)
			b.SetBytes(cells * dataLen)
			b.ReportAllocs()
			var batches []link.Batch
			n := 0
			for b.Loop() {
				if len(batches) == 0 {
					b.StopTimer()
					batches = w.batches(ahead, cells)
					b.StartTimer()
				}
				w.deliver(b, &batches[0], p)
				batches = batches[1:]
				n += cells
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/cell")
		})
	}
}

// A blackHole is a relay that looks at nothing once the stream is open. It counts what it gets, and that is all that
// holds the sender back.
type blackHole struct {
	*bench
	open chan struct{}
	got  atomic.Int64
	sent int64
}

func newBlackHole(tb testing.TB, hops int) *blackHole {
	h := &blackHole{open: make(chan struct{})}
	h.bench = newBench(tb, hops, fakepeer.Config{
		Stream: func(string) fakepeer.Handler {
			return func(s *fakepeer.Stream) { s.Accept(netip.Addr{}); close(h.open); s.Wait() }
		},
		Hooks: fakepeer.Hooks{Cell: func(*fakepeer.Conn, cell.Cell) bool {
			select {
			case <-h.open:
				h.got.Add(1)
				return true
			default:
				return false
			}
		}},
	})
	return h
}

// send packages p, and makes the circuit's window new when it is used up.
func (h *blackHole) send(tb testing.TB, p []byte) {
	for len(p) > 0 {
		n, cells, err := h.circ.sendData(h.stream.ID(), p)
		if err != nil {
			tb.Fatal(err)
		}
		h.sent += int64(cells)
		if p = p[n:]; n == 0 {
			h.newWindow()
		}
	}
}

func (h *blackHole) newWindow() {
	for h.sent-h.got.Load() > congestion.CircWindow && h.circ.link.Err() == nil {
		runtime.Gosched()
	}
	h.circ.send.mu.Lock()
	defer h.circ.send.mu.Unlock()
	h.circ.send.ctl = congestion.NewFixed(congestion.CircWindow)
}

// BenchmarkSend measures a run of cells from the stream's writer into the link's queue, while the link seals and writes
// them on another core.
func BenchmarkSend(b *testing.B) {
	for _, hops := range []int{1, 3} {
		b.Run(strconv.Itoa(hops)+"hops", func(b *testing.B) {
			w := newBlackHole(b, hops)
			p := make([]byte, link.ChunkCells*dataLen)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				w.send(b, p)
				n += link.ChunkCells
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/cell")
		})
	}
}

// BenchmarkSeal is the part of it that is not the link: encoding, ciphers, digest and window.
func BenchmarkSeal(b *testing.B) {
	for _, hops := range []int{1, 3} {
		b.Run(strconv.Itoa(hops)+"hops", func(b *testing.B) {
			w := newBlackHole(b, hops)
			w.circ.link.Close(io.EOF) // its queue drops what it gets from now on
			<-w.circ.Done()
			w.circ.send.closed = false
			p := make([]byte, link.ChunkCells*dataLen)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				w.send(b, p)
				n += link.ChunkCells
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/cell")
		})
	}
}

// BenchmarkDownload measures all of it over loopback: TLS at both ends, and a relay that encrypts three times.
func BenchmarkDownload(b *testing.B) {
	const size = 8 << 20
	w := newBench(b, 3, fakepeer.Config{Stream: func(string) fakepeer.Handler {
		return fakepeer.Source(func() io.Reader { return io.LimitReader(zeros{}, size) })
	}})
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		s, err := w.circ.Tunnel().Connect(relaymsg.Begin{Addr: "example.com:80"})
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, s); n != size || err != nil {
			b.Fatalf("%d bytes, %v", n, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// BenchmarkRequest is a small request and its answer, on a stream of its own: told at once, or together with the request.
func BenchmarkRequest(b *testing.B) {
	for _, how := range []struct {
		name string
		open func(*Tunnel, relaymsg.Begin) (*stream.Stream, error)
	}{{"connect", (*Tunnel).Connect}, {"prepare", (*Tunnel).Prepare}} {
		b.Run(how.name, func(b *testing.B) {
			w := newBench(b, 3, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Echo }})
			var p [200]byte
			b.ReportAllocs()
			for b.Loop() {
				s, err := how.open(w.circ.Tunnel(), relaymsg.Begin{Addr: "example.com:80"})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Write(p[:]); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(s, p[:]); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}
