package circuit_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// noise returns n bytes that look random, the same for the same seed.
func noise(seed byte, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

func sum(r io.Reader) [sha256.Size]byte {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		panic(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// plain hides all but Read, so that io.Copy cannot use WriteTo and ReadFrom.
type plain struct{ io.Reader }
type plainWriter struct{ io.Writer }

// Amounts of all sizes go both ways, by Read and Write and by WriteTo and ReadFrom. The relay judges windows and tags.
//
// https://spec.torproject.org/tor-spec/flow-control.html
func TestTransfer(t *testing.T) {
	for _, hops := range []int{1, 3} {
		for _, size := range []int64{0, 1, 498, 499, 10_000, 10 << 20} {
			if size > 1<<20 && testing.Short() {
				continue
			}
			for _, copies := range []bool{false, true} {
				bubble(t, fmt.Sprintf("%d bytes, %d hops, down, copy %v", size, hops, copies), func(t *testing.T) {
					w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
						return fakepeer.Source(func() io.Reader { return noise(1, size) })
					}})
					c := w.build(hops)
					s := w.connect(c)
					var in io.Reader = s
					if copies {
						in = plain{s}
					}
					h := sha256.New()
					n, err := io.Copy(h, in)
					if n != size || err != nil || [sha256.Size]byte(h.Sum(nil)) != sum(noise(1, size)) {
						t.Errorf("got %d bytes, error %v", n, err)
					}
					if n := c.Tunnel().Streams(); n != 0 {
						t.Errorf("%d streams are open", n)
					}
					checkSendmes(t, w, size)
				})
				bubble(t, fmt.Sprintf("%d bytes, %d hops, up, copy %v", size, hops, copies), func(t *testing.T) {
					h := sha256.New()
					done := make(chan error)
					w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
						return fakepeer.Sink(h, func(err error) { done <- err })
					}})
					s := w.connect(w.build(hops))
					var out io.Writer = s
					if copies {
						out = plainWriter{s}
					}
					if n, err := io.Copy(out, noise(2, size)); n != size || err != nil {
						t.Errorf("sent %d bytes, error %v", n, err)
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
					if err := <-done; err != nil || [sha256.Size]byte(h.Sum(nil)) != sum(noise(2, size)) {
						t.Errorf("other bytes have arrived, error %v", err)
					}
					if got := w.relay.Stats().Data; got != size {
						t.Errorf("%d bytes have arrived", got)
					}
				})
			}
		}
	}
}

// checkSendmes counts the SENDMEs for so much data. All of a circuit's are sent, and those of the stream but for what
// was still unread when the stream ended.
func checkSendmes(t *testing.T, w *world, size int64) {
	t.Helper()
	cells := int((size + 497) / 498)
	got := w.relay.Stats().Msgs[relaymsg.CmdSendme]
	partly := int(size / 32_000) // io.Copy at the relay does not fill every cell
	most := (cells+partly)/100 + (cells+partly)/50
	least := cells/100 + max(0, cells-congestion.StreamWindowStart)/50
	if got > most || got < least {
		t.Errorf("%d SENDMEs for %d cells, want %d to %d", got, cells, least, most)
	}
}

// Many streams of one circuit run at once and do not mix.
func TestParallelStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, size = 100, 100_000
		w := newWorld(t, fakepeer.Config{})
		c := w.build(3)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				s := w.connect(c)
				wg.Go(func() {
					if _, err := io.Copy(s, noise(byte(i), size)); err != nil {
						t.Errorf("stream %d: %v", i, err)
					}
				})
				if sum(io.LimitReader(s, size)) != sum(noise(byte(i), size)) {
					t.Errorf("stream %d: other bytes came back", i)
				}
				s.Close()
			})
		}
		wg.Wait()
	})
}

// A stream of a slow reader holds no more than its window, and the others go on.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 3 << 20
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
			return fakepeer.Source(func() io.Reader { return noise(5, size) })
		}})
		c := w.build(2)
		slow := w.connect(c)
		synctest.Wait()
		if n := w.relay.Stats().Msgs[relaymsg.CmdSendme]; n != congestion.StreamWindowStart/congestion.CircIncrement {
			t.Errorf("%d SENDMEs while nothing is read", n)
		}
		if sum(w.connect(c)) != sum(noise(5, size)) {
			t.Error("other bytes on the other stream")
		}
		if sum(slow) != sum(noise(5, size)) {
			t.Error("other bytes on the slow stream")
		}
		if c.Err() != nil {
			t.Error(c.Err())
		}
	})
}

// A sender that does not wait for SENDMEs breaks the protocol.
func TestDataBeyondWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Open }})
		c := w.build(2)
		s := w.connect(c)
		for range congestion.StreamWindowStart {
			w.peer().Send(1, msg(relaymsg.CmdData, s.ID(), 1))
		}
		synctest.Wait()
		if c.Err() != nil {
			t.Fatalf("a whole window closes the circuit: %v", c.Err())
		}
		w.peer().Send(1, msg(relaymsg.CmdData, s.ID(), 1))
		<-c.Done()
		if !errors.Is(c.Err(), congestion.ErrWindow) || !isProtocolError(c.Err()) {
			t.Errorf("circuit ended with %v", c.Err())
		}
		// What came before is there to be read.
		if n, err := io.Copy(io.Discard, s); n != congestion.StreamWindowStart || !errors.Is(err, congestion.ErrWindow) {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
}

// A circuit whose relay sends no SENDME stops after a window, and goes on when one comes.
func TestCircuitWindowStops(t *testing.T) {
	for _, window := range []int{0, 300} {
		bubble(t, fmt.Sprint(window), func(t *testing.T) {
			var mu sync.Mutex
			var held []relaymsg.Msg
			w := newWorld(t, fakepeer.Config{
				Stream: func(string) fakepeer.Handler { return fakepeer.Sink(io.Discard, nil) },
				Hooks: fakepeer.Hooks{Answer: func(_ *fakepeer.Circuit, _ int, m *relaymsg.Msg) bool {
					if m.Cmd != relaymsg.CmdSendme || m.Stream != 0 {
						return true
					}
					mu.Lock()
					defer mu.Unlock()
					held = append(held, *m)
					return false
				}},
			})
			c, err := w.tryBuild(t.Context(), 3, circuit.Options{Window: window})
			if err != nil {
				t.Fatal(err)
			}
			streams := []*stream.Stream{w.connect(c), w.connect(c), w.connect(c), w.connect(c)}
			for _, s := range streams {
				go s.Write(make([]byte, 498*499))
			}
			synctest.Wait()
			want := cmp.Or(window, congestion.CircWindow)
			if got := w.relay.Stats().Msgs[relaymsg.CmdData]; got != want {
				t.Errorf("%d cells without a SENDME, want %d", got, want)
			}
			mu.Lock()
			first := held[0]
			mu.Unlock()
			w.peer().Send(2, first)
			synctest.Wait()
			if got := w.relay.Stats().Msgs[relaymsg.CmdData]; got != want+100 {
				t.Errorf("%d cells after one SENDME, want %d", got, want+100)
			}
			c.Close()
		})
	}
}

// What an exit says when it refuses or ends a stream gets to the user.
//
// https://spec.torproject.org/tor-spec/closing-streams.html
func TestEndReasons(t *testing.T) {
	for reason := relaymsg.EndMisc; reason <= relaymsg.EndNotDirectory; reason++ {
		bubble(t, reason.String(), func(t *testing.T) {
			later := false
			w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
				if !later {
					return fakepeer.Refuse(reason)
				}
				return func(s *fakepeer.Stream) {
					s.Accept(netip.Addr{})
					s.Write([]byte("the last words"))
					s.End(reason)
				}
			}})
			c := w.build(2)
			s := w.begin(c)
			err := s.Wait(t.Context())
			if e, ok := errors.AsType[*stream.EndError](err); !ok || e.Reason != reason {
				t.Errorf("Wait: %v", err)
			}
			if _, err2 := s.Write([]byte("x")); err2 != err {
				t.Errorf("Write: %v", err2)
			}
			later = true
			s = w.connect(c)
			synctest.Wait() // END is there before anything is read
			got, err := io.ReadAll(s)
			e, ok := errors.AsType[*stream.EndError](err)
			if string(got) != "the last words" || reason == relaymsg.EndDone && err != nil || reason != relaymsg.EndDone && (!ok || e.Reason != reason) {
				t.Errorf("read %q, %v", got, err)
			}
			if err := s.Wait(t.Context()); err != nil {
				t.Errorf("Wait for a stream that was open: %v", err)
			}
			if _, err := s.Write([]byte("x")); !errors.As(err, new(*stream.EndError)) {
				t.Errorf("Write: %v", err)
			}
			if c.Err() != nil {
				t.Errorf("circuit ended with %v", c.Err())
			}
		})
	}
	bubble(t, "empty END", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
			return func(s *fakepeer.Stream) { s.Send(relaymsg.CmdEnd, nil) }
		}})
		err := w.begin(w.build(2)).Wait(t.Context())
		if e, ok := errors.AsType[*stream.EndError](err); !ok || e.Reason != relaymsg.EndMisc {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestConnected(t *testing.T) {
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")} {
		bubble(t, addr.String(), func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{Stream: func(target string) fakepeer.Handler {
				if target != "example.com:80" {
					t.Errorf("BEGIN to %q", target)
				}
				return func(s *fakepeer.Stream) { s.Accept(addr) }
			}})
			s := w.connect(w.build(2))
			if s.RemoteIP() != addr || s.RemoteAddr().String() != "example.com:80" || s.RemoteAddr().Network() != "tor" || s.LocalAddr() == nil {
				t.Errorf("remote %v %v, local %v", s.RemoteIP(), s.RemoteAddr(), s.LocalAddr())
			}
		})
	}
}

// https://spec.torproject.org/tor-spec/remote-hostname-lookup.html
func TestResolve(t *testing.T) {
	want := []relaymsg.Answer{
		{Type: relaymsg.AnswerIPv4, Addr: netip.MustParseAddr("198.51.100.7"), TTL: 60},
		{Type: relaymsg.AnswerIPv6, Addr: netip.MustParseAddr("2001:db8::7"), TTL: 61},
	}
	for name, answers := range map[string][]relaymsg.Answer{
		"addresses": want,
		"a name":    {{Type: relaymsg.AnswerName, Name: "example.com", TTL: 60}},
		"an error":  {{Type: relaymsg.AnswerError, TTL: 60}},
		"nothing":   nil,
	} {
		bubble(t, name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{Resolve: func(q string) []relaymsg.Answer {
				if q != "example.com" {
					t.Errorf("asked for %q", q)
				}
				return answers
			}})
			c := w.build(3)
			s, err := c.Tunnel().Resolve("example.com")
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Answers(t.Context())
			if err != nil || !slices.Equal(got, answers) {
				t.Errorf("got %v, %v, want %v", got, err, answers)
			}
			if _, err := s.Write([]byte("x")); err == nil {
				t.Error("Write on a resolve")
			}
			if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("Read on a resolve: %d, %v", n, err)
			}
			s.Close()
			if c.Tunnel().Streams() != 0 || c.Err() != nil {
				t.Errorf("%d streams, circuit error %v", c.Tunnel().Streams(), c.Err())
			}
		})
	}
	bubble(t, "no answer", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(3)
		s, err := c.Tunnel().Resolve("example.com")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Answers(ctx); err != context.DeadlineExceeded {
			t.Errorf("error %v", err)
		}
		// The answer is late, and harmless.
		w.peer().Send(2, msg(relaymsg.CmdResolved, s.ID()))
		checkWorks(t, w, c)
	})
}

func TestDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Dir: func(request string) []byte {
			return []byte("HTTP/1.0 200 OK\r\n\r\n" + request)
		}})
		c, err := circuit.CreateFast(t.Context(), w.link(), circuit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Tunnel().ConnectDir()
		if err != nil {
			t.Fatal(err)
		}
		// What is written before CONNECTED has come goes along with BEGIN_DIR.
		const request = "GET /tor/status-vote/current/consensus HTTP/1.0\r\n\r\n"
		if _, err := io.WriteString(s, request); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if !strings.HasSuffix(string(got), request) || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if n := w.relay.Stats().Cells[cell.CmdRelayEarly]; n != 0 {
			t.Errorf("%d RELAY_EARLY cells to the first hop", n)
		}
	})
}

// What comes late for a stream that we have closed is taken, up to what the exit can have had under way.
func TestLateMessages(t *testing.T) {
	data := func(n int) []relaymsg.Msg { return slices.Repeat([]relaymsg.Msg{msg(relaymsg.CmdData, 0, 1)}, n) }
	sendmes := func(n int) []relaymsg.Msg { return slices.Repeat([]relaymsg.Msg{msg(relaymsg.CmdSendme, 0)}, n) }
	end, connected := msg(relaymsg.CmdEnd, 0, 6), msg(relaymsg.CmdConnected, 0)
	for _, c := range []struct {
		name string
		late []relaymsg.Msg
		ok   bool
	}{
		{"a window of DATA", data(congestion.StreamWindowStart), true},
		{"more than a window", data(congestion.StreamWindowStart + 1), false},
		{"all there can be", slices.Concat([]relaymsg.Msg{connected}, data(100), sendmes(10), []relaymsg.Msg{end}), true},
		{"too many SENDMEs", sendmes(12), false},
		{"END", []relaymsg.Msg{end}, true},
		{"END twice", []relaymsg.Msg{end, end}, false},
		{"DATA after END", []relaymsg.Msg{end, data(1)[0]}, false},
	} {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Never }})
			circ := w.build(2)
			s := w.begin(circ)
			s.Close()
			for _, m := range c.late {
				m.Stream = s.ID()
				w.peer().Send(1, m)
			}
			synctest.Wait()
			if err := circ.Err(); (err == nil) != c.ok {
				t.Errorf("circuit error %v", err)
			}
		})
	}
	bubble(t, "DATA beyond what was left of the window", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Open }})
		circ := w.build(2)
		s := w.connect(circ)
		for range 450 {
			w.peer().Send(1, msg(relaymsg.CmdData, s.ID(), 1))
		}
		synctest.Wait()
		s.Close()
		for range 50 {
			w.peer().Send(1, msg(relaymsg.CmdData, s.ID(), 1))
		}
		synctest.Wait()
		if circ.Err() != nil {
			t.Errorf("circuit ended with %v", circ.Err())
		}
		w.peer().Send(1, msg(relaymsg.CmdData, s.ID(), 1))
		synctest.Wait()
		if !isProtocolError(circ.Err()) {
			t.Errorf("circuit ended with %v", circ.Err())
		}
	})
}

// A request to a directory goes out together with what opens its stream.
func TestPrepareDir(t *testing.T) {
	bubble(t, "one write", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Dir: func(request string) []byte { return []byte("answer to " + request) }})
		s, err := w.build(3).Tunnel().PrepareDir()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := w.relay.Stats().Msgs[relaymsg.CmdBeginDir]; n != 0 {
			t.Error("the relay knows of the stream before there is a request")
		}
		if _, err := io.WriteString(s, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(s); err != nil || !strings.HasPrefix(string(answer), "answer to GET /") {
			t.Errorf("answer %q, %v", answer, err)
		}
	})
}
