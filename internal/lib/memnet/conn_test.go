package memnet_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
)

func TestTransfer(t *testing.T) {
	for name, link := range map[string]memnet.Link{
		"instant":      {},
		"latency":      {Latency: 30 * time.Millisecond},
		"bandwidth":    {Latency: 30 * time.Millisecond, Bandwidth: 1 << 20},
		"small buffer": {Latency: time.Millisecond, Buffer: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := connect(t, link)
				data := make([]byte, 1<<20)
				rand.Read(data)
				var wg sync.WaitGroup
				for _, ends := range [][2]net.Conn{{d.client, d.serv}, {d.serv, d.client}} {
					wg.Go(func() {
						for rest := data; len(rest) > 0; {
							k := min(len(rest), 12345)
							if _, err := ends[0].Write(rest[:k]); err != nil {
								t.Error(err)
							}
							rest = rest[k:]
						}
						ends[0].(netx.HalfCloser).CloseWrite()
					})
					wg.Go(func() {
						got, err := io.ReadAll(ends[1])
						if err != nil || !bytes.Equal(got, data) {
							t.Errorf("got %d bytes, %v; want what was sent", len(got), err)
						}
					})
				}
				wg.Wait()
			})
		})
	}
}

func TestLatencyAndBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Latency: 50 * time.Millisecond, Bandwidth: 4096 * 10})
		start := time.Now()
		wantAt := func(what string, want time.Duration) {
			t.Helper()
			if got := time.Since(start); got != want {
				t.Errorf("%s at %v, want %v", what, got, want)
			}
		}
		d.client.Write(make([]byte, 3*4096))
		d.client.(netx.HalfCloser).CloseWrite()
		wantAt("write", 0)
		b := make([]byte, 10000)
		for i := range 3 {
			if n, err := d.serv.Read(b); n != 4096 || err != nil {
				t.Fatalf("read %d, %v", n, err)
			}
			wantAt("segment", time.Duration(i+1)*100*time.Millisecond+50*time.Millisecond)
		}
		if _, err := d.serv.Read(b); err != io.EOF {
			t.Errorf("got %v, want EOF", err)
		}
		wantAt("EOF", 350*time.Millisecond)
	})
}

// What is lost comes later, and in order; the stream is whole.
func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Latency: 10 * time.Millisecond, Loss: 0.3})
		data := make([]byte, 1000)
		rand.Read(data)
		go func() {
			for i := range data {
				d.client.Write(data[i : i+1])
				time.Sleep(time.Millisecond)
			}
			d.client.Close()
		}()
		start := time.Now()
		got, err := io.ReadAll(d.serv)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("got %d bytes, %v; want what was sent", len(got), err)
		}
		if took := time.Since(start); took < time.Second+200*time.Millisecond {
			t.Errorf("took %v, as if nothing was lost", took)
		}
	})
}

func TestWaitReadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Latency: time.Second})
		w := d.serv.(netx.ReadWaiter)
		d.serv.SetReadDeadline(time.Now().Add(time.Second))
		if err := w.WaitReadable(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("past the deadline: %v", err)
		}
		d.serv.SetReadDeadline(time.Time{})
		start := time.Now()
		d.client.Write([]byte("x"))
		d.client.Close()
		if err := w.WaitReadable(); err != nil || time.Since(start) != time.Second {
			t.Errorf("data: %v after %v", err, time.Since(start))
		}
		if got, err := io.ReadAll(d.serv); string(got) != "x" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if err := w.WaitReadable(); err != nil {
			t.Errorf("at the end: %v, want Read to tell", err)
		}
	})
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Buffer: 1000})
		d.client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := d.client.Write(make([]byte, 1500))
		if ne, ok := err.(net.Error); n != 1000 || !ok || !ne.Timeout() {
			t.Fatalf("Write = %d, %v; want 1000 bytes and a timeout", n, err)
		}
		d.client.SetWriteDeadline(time.Time{})
		done := make(chan struct{})
		go func() { d.client.Write(make([]byte, 400)); close(done) }()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("Write does not wait for room")
		default:
		}
		io.ReadFull(d.serv, make([]byte, 400))
		<-done
	})
}

func TestLowWater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Bandwidth: 4096 * 10})
		d.client.(netx.LowWater).SetNotSentLowat(2 * 4096)
		start := time.Now()
		d.client.Write(make([]byte, 5*4096))
		if got := time.Since(start); got != 300*time.Millisecond {
			t.Errorf("Write returned after %v, want it to wait until all but 2 segments left, 300ms", got)
		}
	})
}

func TestConcurrentWritesDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Buffer: 10})
		var wg sync.WaitGroup
		for _, c := range "ab" {
			wg.Go(func() { d.client.Write(bytes.Repeat([]byte{byte(c)}, 100)) })
		}
		got := make([]byte, 200)
		io.ReadFull(d.serv, got)
		wg.Wait()
		if !bytes.Equal(got[:100], bytes.Repeat(got[:1], 100)) {
			t.Errorf("writes mix: %s", got)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Latency: time.Minute})
		b := make([]byte, 1)
		wantTimeout := func(what string, after time.Duration) {
			t.Helper()
			start := time.Now()
			_, err := d.client.Read(b)
			if ne, ok := err.(net.Error); !ok || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v, want a timeout", what, err)
			}
			if got := time.Since(start); got != after {
				t.Errorf("%s after %v, want %v", what, got, after)
			}
		}
		d.client.SetDeadline(time.Now().Add(time.Second))
		wantTimeout("deadline ahead", time.Second)
		wantTimeout("deadline passed", 0)
		if _, err := d.client.Write(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write past its deadline: %v", err)
		}
		d.client.SetDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { d.client.SetReadDeadline(time.Unix(1, 0)) })
		wantTimeout("deadline set while waiting", time.Second)
		d.client.SetReadDeadline(time.Now().Add(2 * time.Minute))
		d.serv.Write([]byte("x"))
		if n, err := d.client.Read(b); n != 1 {
			t.Errorf("data before the deadline: %d, %v", n, err)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Latency: time.Second})
		b := make([]byte, 10)
		read := make(chan error)
		go func() { _, err := d.client.Read(b); read <- err }()
		synctest.Wait()
		d.client.Write([]byte("bye"))
		d.client.Close()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a Read during Close: %v", err)
		}
		for what, f := range map[string]func() error{
			"Read":        func() error { _, err := d.client.Read(b); return err },
			"Write":       func() error { _, err := d.client.Write(b); return err },
			"Close":       d.client.Close,
			"CloseWrite":  d.client.(netx.HalfCloser).CloseWrite,
			"SetDeadline": func() error { return d.client.SetDeadline(time.Time{}) },
		} {
			if err := f(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		if _, err := d.serv.Write(b); err != nil {
			t.Errorf("Write before the news of Close: %v", err)
		}
		if n, err := d.serv.Read(b); string(b[:n]) != "bye" || err != nil {
			t.Errorf("Read = %q, %v; want what was written before Close", b[:n], err)
		}
		if _, err := d.serv.Read(b); err != io.EOF {
			t.Errorf("Read = %v, want EOF", err)
		}
		if _, err := d.serv.Write(b); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write after the news of Close: %v, want EPIPE", err)
		}
	})
}

func TestCloseFreesABlockedWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Buffer: 10})
		wrote := make(chan error)
		go func() { _, err := d.client.Write(make([]byte, 100)); wrote <- err }()
		synctest.Wait()
		d.serv.Close()
		if err := <-wrote; !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write = %v, want EPIPE", err)
		}
	})
}

func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{})
		d.client.(netx.HalfCloser).CloseWrite()
		if got, err := io.ReadAll(d.serv); len(got) != 0 || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := d.client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write after CloseWrite: %v, want EPIPE", err)
		}
		go func() { d.serv.Write([]byte("answer")); d.serv.Close() }()
		if got, err := io.ReadAll(d.client); string(got) != "answer" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Latency: time.Second, Buffer: 100})
		start := time.Now()
		d.client.Write([]byte("before"))
		d.net.Cut(d.alice, d.bob)
		d.client.Write([]byte(" and during"))
		d.client.SetWriteDeadline(time.Now().Add(time.Hour))
		if _, err := d.client.Write(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write into a cut: %v, want it to hang", err)
		}
		d.client.Close()
		d.serv.SetReadDeadline(time.Now().Add(time.Hour))
		b := make([]byte, 17)
		if n, err := d.serv.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read across a cut: %d, %v", n, err)
		}
		if _, err := d.serv.Write(b); err != nil {
			t.Errorf("Write across a cut: %v: news came through", err)
		}
		d.serv.SetDeadline(time.Time{})
		d.net.Heal(d.alice, d.bob)
		if _, err := io.ReadFull(d.serv, b); string(b) != "before and during" || time.Since(start) != 2*time.Hour+time.Second {
			t.Errorf("after the cut got %q, %v at %v", b, err, time.Since(start))
		}
		if rest, err := io.ReadAll(d.serv); len(rest) != 83 || err != nil {
			t.Errorf("then %d bytes, %v; want what else had fit", len(rest), err)
		}
	})
}

func TestResetAndCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := make([]byte, 1)
		d := connect(t, memnet.Link{Latency: time.Second})
		d.net.Reset(d.alice, d.bob)
		for _, c := range []net.Conn{d.client, d.serv} {
			if _, err := c.Read(b); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Read after Reset: %v", err)
			}
			if _, err := c.Write(b); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Write after Reset: %v", err)
			}
			c.Close()
		}

		d = connect(t, memnet.Link{Latency: time.Second})
		l := listen(t, d.bob, ":1")
		d.bob.Crash()
		if _, err := d.serv.Read(b); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read on the crashed host: %v", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept on the crashed host: %v", err)
		}
		if _, err := d.client.Read(b); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read by the peer: %v", err)
		}
		if _, err := d.alice.Dial(t.Context(), "tcp", "192.0.2.2:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial the crashed host: %v", err)
		}
		listen(t, d.bob, ":1")
	})
}

func BenchmarkTransfer(b *testing.B) {
	d := connect(b, memnet.Link{})
	buf, sink := make([]byte, 16<<10), make([]byte, 64<<10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := d.serv.Read(sink); err != nil {
				return
			}
		}
	}()
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		d.client.Write(buf)
	}
	d.client.Close()
	<-done
}
