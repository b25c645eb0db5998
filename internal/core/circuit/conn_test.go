package circuit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Streams are net.Conns: deadlines end reads and writes, and can be moved.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Open }}) // reads nothing
		s := w.connect(w.build(2))
		start := time.Now()
		s.SetDeadline(start.Add(time.Second))
		_, err := s.Read(make([]byte, 1))
		checkDeadline(t, err, start.Add(time.Second))
		n, err := s.Write(make([]byte, 1<<20))
		if n != 0 {
			t.Errorf("%d bytes written after the deadline", n)
		}
		checkDeadline(t, err, start.Add(time.Second))
		s.SetWriteDeadline(start.Add(5 * time.Second))
		n, err = s.Write(make([]byte, 1<<20))
		if n != congestion.StreamWindowStart*498 {
			t.Errorf("%d bytes written before the deadline", n)
		}
		checkDeadline(t, err, start.Add(5*time.Second))

		// Moved while somebody waits, later and then sooner.
		s.SetReadDeadline(start.Add(10 * time.Second))
		go func() {
			time.Sleep(time.Second)
			s.SetReadDeadline(start.Add(time.Hour))
			time.Sleep(time.Second)
			s.SetReadDeadline(start.Add(20 * time.Second))
		}()
		_, err = s.Read(make([]byte, 1))
		checkDeadline(t, err, start.Add(20*time.Second))

		s.SetReadDeadline(time.Time{})
		w.peer().Stream(1, s.ID()).Send(relaymsg.CmdData, []byte("x"))
		if n, err := s.Read(make([]byte, 10)); n != 1 || err != nil {
			t.Errorf("Read without a deadline: %d, %v", n, err)
		}
	})
}

func checkDeadline(t *testing.T, err error, at time.Time) {
	t.Helper()
	ne, ok := errors.AsType[net.Error](err)
	if !errors.Is(err, os.ErrDeadlineExceeded) || !ok || !ne.Timeout() {
		t.Errorf("error %v", err)
	}
	if !time.Now().Equal(at) {
		t.Errorf("%v late", time.Since(at))
	}
}

// Close ends what goes on in other goroutines.
func TestCloseWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Open }})
		c := w.build(2)
		s := w.connect(c)
		var wg sync.WaitGroup
		wg.Go(func() {
			if n, err := s.Read(make([]byte, 1)); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read: %d, %v", n, err)
			}
		})
		wg.Go(func() {
			if _, err := s.Write(make([]byte, 1<<20)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write: %v", err)
			}
		})
		synctest.Wait()
		s.SetDeadline(time.Now().Add(time.Hour))
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close: %v", err)
		}
		checkWorksNot(t, s)
		w.relay.WaitFor("END", func(s *fakepeer.Stats) bool { return s.Msgs[relaymsg.CmdEnd] == 1 })
	})
}

func checkWorksNot(t *testing.T, s *stream.Stream) {
	t.Helper()
	if n, err := s.WriteTo(io.Discard); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
	if n, err := s.ReadFrom(strings.NewReader("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
}

// Close comes at any moment of a transfer, many times; the relay would notice what follows END.
func TestCloseRaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(2)
		for i := range 100 {
			s := w.connect(c)
			var wg sync.WaitGroup
			wg.Go(func() { s.ReadFrom(noise(1, 200_000)) })
			wg.Go(func() {
				io.CopyN(io.Discard, s, int64(i)*1000)
				wg.Go(func() { s.Close() })
				s.WriteTo(io.Discard)
			})
			wg.Wait()
		}
		if c.Err() != nil {
			t.Errorf("circuit ended with %v", c.Err())
		}
		checkWorks(t, w, c)
	})
}

// CloseWrite ends the stream, but what has come can be read.
func TestCloseWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		s := w.connect(w.build(2))
		io.WriteString(s, "hello")
		synctest.Wait()
		if err := s.CloseWrite(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(s); string(got) != "hello" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write: %v", err)
		}
	})
}

// Wait gives up with its context, and the exit is told.
func TestWaitTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reason []byte
		w := newWorld(t, fakepeer.Config{
			Stream: func(string) fakepeer.Handler { return fakepeer.Never },
			Hooks: fakepeer.Hooks{Message: func(_ *fakepeer.Circuit, _ int, m relaymsg.Msg) bool {
				if m.Cmd == relaymsg.CmdEnd {
					reason = bytes.Clone(m.Body)
				}
				return false
			}},
		})
		c := w.build(2)
		s := w.begin(c)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("tired"))
		defer cancel()
		if err := s.Wait(ctx); err == nil || err.Error() != "tired" {
			t.Errorf("Wait: %v", err)
		}
		synctest.Wait()
		if !bytes.Equal(reason, []byte{byte(relaymsg.EndTimeout)}) {
			t.Errorf("END with %x", reason)
		}
		// The answer is late, and harmless.
		w.peer().Send(1, msg(relaymsg.CmdConnected, s.ID()))
		synctest.Wait()
		if c.Err() != nil || c.Tunnel().Streams() != 0 {
			t.Errorf("circuit error %v, %d streams", c.Err(), c.Tunnel().Streams())
		}
	})
}

// Whatever is wrong with a copy's other end is told, and the stream lives on.
func TestCopyErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(1)
		s := w.connect(c)
		boom := errors.New("boom")
		r := io.MultiReader(strings.NewReader("hello"), errReader{boom})
		if n, err := s.ReadFrom(r); n != 5 || err != boom {
			t.Errorf("ReadFrom: %d, %v", n, err)
		}
		if n, err := s.WriteTo(errWriter{boom}); n != 2 || err != boom {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
		if n, err := s.Write(nil); n != 0 || err != nil {
			t.Errorf("empty Write: %d, %v", n, err)
		}
		if n, err := s.Read(nil); n != 0 || err != nil {
			t.Errorf("empty Read: %d, %v", n, err)
		}
		s.Close()
		checkWorks(t, w, c)
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

type errWriter struct{ err error }

func (w errWriter) Write([]byte) (int, error) { return 2, w.err }
