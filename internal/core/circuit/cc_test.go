package circuit_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const (
	ccInc  = 31
	ccInit = 124 // cells
)

// A ccWorld is a world whose last hop grants congestion control, and leaves all that streams send to the test.
type ccWorld struct {
	*world
	circ   *circuit.Circuit
	stream *stream.Stream

	mu  sync.Mutex
	got map[relaymsg.Command]int // messages that reached the last hop
}

func newCCWorld(t testing.TB, change func(*congestion.Params)) *ccWorld {
	w := &ccWorld{got: map[relaymsg.Command]int{}}
	w.world = newWorld(t, fakepeer.Config{
		V3Exts: circext.List{circext.CCResponse{SendmeInc: ccInc}.Extension()},
		Stream: func(string) fakepeer.Handler { return fakepeer.Open },
		Hooks: fakepeer.Hooks{Message: func(_ *fakepeer.Circuit, hop int, m relaymsg.Msg) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.got[m.Cmd]++
			return m.Cmd == relaymsg.CmdData || m.Cmd == relaymsg.CmdSendme || m.Cmd == relaymsg.CmdXoff || m.Cmd == relaymsg.CmdXon
		}},
	})
	p := congestion.ReadParams(nil, congestion.ExitPath)
	if change != nil {
		change(p)
	}
	c, err := circuit.Create(t.Context(), w.link(), hop(0, false), circuit.Options{CC: p})
	if err != nil {
		t.Fatal(err)
	}
	last := hop(1, true)
	last.CC = true
	if err := c.Extend(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	w.circ, w.stream = c, w.connect(c)
	return w
}

// count returns how many messages of a kind have reached the last hop once all is quiet.
func (w *ccWorld) count(cmd relaymsg.Command) int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got[cmd]
}

// send sends a message on the stream, or on the circuit for id 0, n times.
func (w *ccWorld) send(n int, cmd relaymsg.Command, id uint16, body ...byte) {
	for range n {
		w.peer().Send(1, msg(cmd, id, body...))
	}
	synctest.Wait()
}

// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
func TestCongestionControlDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCCWorld(t, nil)
		w.send(10*ccInc-1, relaymsg.CmdData, w.stream.ID(), 1)
		if n := w.count(relaymsg.CmdSendme); n != 9 {
			t.Errorf("%d SENDMEs, want one each %d cells and none of the stream: 9", n, ccInc)
		}
		w.send(1, relaymsg.CmdData, w.stream.ID(), 1)
		if n := w.count(relaymsg.CmdSendme); n != 10 {
			t.Errorf("%d SENDMEs, want 10", n)
		}
		if w.circ.Err() != nil {
			t.Error(w.circ.Err())
		}
	})
}

func TestCongestionControlUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCCWorld(t, nil)
		go w.stream.Write(make([]byte, 498*1000))
		if n := w.count(relaymsg.CmdData); n != ccInit {
			t.Fatalf("%d DATA cells at first, want %d", n, ccInit)
		}
		time.Sleep(50 * time.Millisecond)
		w.send(1, relaymsg.CmdSendme, 0) // of version 0; in slow start it opens room for twice what it acknowledges
		if n := w.count(relaymsg.CmdData); n != ccInit+2*ccInc {
			t.Errorf("%d DATA cells after a SENDME, want %d", n, ccInit+2*ccInc)
		}
		w.stream.Close()
	})
}

// A stream that is told to stop stops, and goes on at the rate that it is told.
func TestXoffFromExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCCWorld(t, func(p *congestion.Params) { p.Flow.XoffExit = 498 })
		go w.stream.Write(make([]byte, 498*50))
		synctest.Wait()
		w.send(1, relaymsg.CmdXoff, w.stream.ID(), 0)
		done := make(chan error)
		go func() {
			_, err := w.stream.Write(make([]byte, 4980))
			done <- err
		}()
		time.Sleep(time.Hour)
		if n := w.count(relaymsg.CmdData); n != 50 {
			t.Fatalf("%d DATA cells in spite of XOFF, want 50", n)
		}
		w.send(1, relaymsg.CmdXon, w.stream.ID(), 0, 0, 0, 0, 1) // 1 kB/s
		begin := time.Now()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin).Seconds(); took < 3.5 || took > 4.5 { // a burst of a second, then the rate
			t.Errorf("5 kB at 1 kB/s took %.1f s", took)
		}
	})
}

// A reader that does not read makes the client send XOFF, after a moment, and XON once it has read all.
func TestXoffToExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCCWorld(t, func(p *congestion.Params) { p.Flow.XoffClient = 10 })
		w.send(20, relaymsg.CmdData, w.stream.ID(), 1)
		if n := w.count(relaymsg.CmdXoff); n != 0 {
			t.Errorf("XOFF at once")
		}
		time.Sleep(6 * time.Millisecond)
		w.send(20, relaymsg.CmdData, w.stream.ID(), 1)
		if n := w.count(relaymsg.CmdXoff); n != 1 {
			t.Errorf("%d XOFF after the grace, want 1", n)
		}
		if _, err := io.ReadFull(w.stream, make([]byte, 39)); err != nil {
			t.Fatal(err)
		}
		if n := w.count(relaymsg.CmdXon); n != 0 {
			t.Errorf("XON with a byte unread")
		}
		if _, err := io.ReadFull(w.stream, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if n := w.count(relaymsg.CmdXon); n != 1 {
			t.Errorf("%d XON, want 1", n)
		}
		if w.circ.Err() != nil {
			t.Error(w.circ.Err())
		}
	})
}

// What a relay may not do on such a circuit.
func TestHostileFlowControl(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(w *ccWorld, id uint16)
		is   error
		want string
	}{
		{name: "SENDME of a stream", do: func(w *ccWorld, id uint16) { w.send(1, relaymsg.CmdSendme, id) }, want: "SENDME on a stream that has no window"},
		{name: "SENDME unexpected", do: func(w *ccWorld, _ uint16) { w.send(1, relaymsg.CmdSendme, 0) }, is: congestion.ErrUnexpected},
		{name: "XOFF without data", do: func(w *ccWorld, id uint16) { w.send(1, relaymsg.CmdXoff, id, 0) }, is: congestion.ErrXoffCount},
		{name: "XON without data", do: func(w *ccWorld, id uint16) { w.send(1, relaymsg.CmdXon, id, 0, 0, 0, 0, 1) }, is: congestion.ErrXonCount},
		{name: "XOFF cut short", do: func(w *ccWorld, id uint16) { w.send(1, relaymsg.CmdXoff, id) }, want: "XOFF"},
		{name: "XON of another version", do: func(w *ccWorld, id uint16) { w.send(1, relaymsg.CmdXon, id, 1, 0, 0, 0, 1) }, want: "XON"},
		{name: "XOFF for a RESOLVE", do: func(w *ccWorld, _ uint16) { // TROVE-2026-018
			s, err := w.circ.Tunnel().Resolve("example.com")
			if err != nil {
				panic(err)
			}
			w.send(1, relaymsg.CmdXoff, s.ID(), 0)
		}, want: "XOFF on a stream that has a window"},
		{name: "XOFF for no stream", do: func(w *ccWorld, _ uint16) { w.send(1, relaymsg.CmdXoff, 0, 0) }, want: "XOFF"},
		{name: "data without end", do: func(w *ccWorld, id uint16) {
			w.send(congestion.MaxBuffered/498+2, relaymsg.CmdData, id, make([]byte, 498)...)
		}, is: congestion.ErrFlood},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCCWorld(t, nil)
				tt.do(w, w.stream.ID())
				select {
				case <-w.circ.Done():
				default:
					t.Fatal("the circuit goes on")
				}
				err := w.circ.Err()
				if !isProtocolError(err) || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("circuit closed with %v, want %v %q", err, tt.is, tt.want)
				}
			})
		})
	}
}

// What a relay may not answer to a request for congestion control, or without one.
func TestHostileCCAnswer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		exts    circext.List
		off, cc bool // the consensus has it off; the client asks
		bad     bool
	}{
		{"granted", circext.List{circext.CCResponse{SendmeInc: 31}.Extension()}, false, true, false},
		{"one more", circext.List{circext.CCResponse{SendmeInc: 32}.Extension()}, false, true, false},
		{"two more", circext.List{circext.CCResponse{SendmeInc: 33}.Extension()}, false, true, true},
		{"two fewer", circext.List{circext.CCResponse{SendmeInc: 29}.Extension()}, false, true, true},
		{"none", circext.List{{Type: circext.TypeCCResponse, Body: []byte{0}}}, false, true, true},
		{"empty", circext.List{{Type: circext.TypeCCResponse}}, false, true, true},
		{"not granted", nil, false, true, false},
		{"not asked", circext.List{circext.CCResponse{SendmeInc: 31}.Extension()}, false, false, true},
		{"off in the consensus", circext.List{circext.CCResponse{SendmeInc: 31}.Extension()}, true, true, true},
		{"something else", circext.List{{Type: 77, Body: []byte{1}}}, false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{V3Exts: tt.exts})
				p := congestion.ReadParams(nil, congestion.ExitPath)
				p.Enabled = !tt.off
				c, err := circuit.Create(context.Background(), w.link(), hop(0, false), circuit.Options{CC: p})
				if err != nil {
					t.Fatal(err)
				}
				last := hop(1, true)
				last.CC = tt.cc
				err = c.Extend(context.Background(), last)
				if (err != nil) != tt.bad || tt.bad && !isProtocolError(err) {
					t.Errorf("error %v, want one: %v", err, tt.bad)
				}
			})
		})
	}
}
