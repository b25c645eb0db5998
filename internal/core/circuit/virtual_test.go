package circuit_test

import (
	"bytes"
	"crypto/sha3"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// shared are the keys that a service and its client have agreed on.
func shared() *kdf.Keys {
	return kdf.NewKeys([]byte("meeting"), func(seed []byte, n int) []byte { return sha3.SumSHAKE256(seed, n) })
}

// Streams go to the service, beyond the rendezvous point.
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func TestVirtualHop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(3)
		w.peer().AddService(shared())
		if err := c.AppendVirtualHop(circuit.VirtualHop{Keys: shared()}); err != nil {
			t.Fatal(err)
		}
		s := w.connect(c)
		defer s.Close()
		const size = 2 << 20 // several windows
		go s.ReadFrom(noise(3, size))
		if got, want := sum(io.LimitReader(s, size)), sum(noise(3, size)); got != want {
			t.Errorf("got %x, want %x", got, want)
		}
		if w.peer().Stream(3, s.ID()) == nil {
			t.Error("the stream is not at the service")
		}
	})
}

// With congestion control, streams have no windows, and the circuit acknowledges as the descriptor says.
func TestVirtualHopFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[relaymsg.Command]int{}
		w := newWorld(t, fakepeer.Config{
			Stream: func(string) fakepeer.Handler { return fakepeer.Open },
			Hooks: fakepeer.Hooks{Message: func(_ *fakepeer.Circuit, hop int, m relaymsg.Msg) bool {
				mu.Lock()
				defer mu.Unlock()
				got[m.Cmd]++
				return m.Cmd == relaymsg.CmdData || m.Cmd == relaymsg.CmdSendme
			}},
		})
		c := w.build(3)
		w.peer().AddService(shared())
		p := congestion.ReadParams(nil, congestion.OnionPath)
		if err := c.AppendVirtualHop(circuit.VirtualHop{Keys: shared(), CC: p, Inc: 32}); err != nil {
			t.Fatal(err)
		}
		if !c.CC() {
			t.Error("no congestion control")
		}
		s := w.connect(c)
		for range 96 {
			w.peer().Send(3, msg(relaymsg.CmdData, s.ID(), 1))
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if c.Err() != nil || got[relaymsg.CmdSendme] != 3 {
			t.Errorf("%d SENDMEs for 96 cells (%v), want 3", got[relaymsg.CmdSendme], c.Err())
		}
	})
}

// A service's RENDEZVOUS1 leaves before anything can come from its client, who then opens streams.
func TestVirtualHopOfService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var peer *fakepeer.Circuit
		var answers []relaymsg.Msg
		w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Message: func(c *fakepeer.Circuit, hop int, m relaymsg.Msg) bool {
			switch {
			case hop == 2 && m.Cmd == relaymsg.CmdRendezvous1:
				peer = c
				c.AddClient(shared())
				c.Send(3, relaymsg.Msg{Cmd: relaymsg.CmdBegin, Stream: 7, Body: []byte(":80\x00")})
				c.Send(3, msg(relaymsg.CmdData, 7, 'h', 'i'))
				return true
			case hop == 3:
				m.Body = bytes.Clone(m.Body)
				answers = append(answers, m)
				return true
			}
			return false
		}}})
		c := w.build(3)
		var taken []stream.Incoming
		err := c.AppendVirtualHop(circuit.VirtualHop{
			Keys: shared(), Accept: func(s stream.Incoming) { taken = append(taken, s) },
			First: &relaymsg.Msg{Cmd: relaymsg.CmdRendezvous1, Body: make([]byte, 84)},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(taken) != 1 || taken[0].Cmd != relaymsg.CmdBegin || string(taken[0].Body) != ":80\x00" {
			t.Fatalf("streams %v (%v)", taken, c.Err())
		}
		s := taken[0]
		if err := s.Accept(relaymsg.Connected{}); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 2)
		if _, err := io.ReadFull(s, buf); err != nil || string(buf) != "hi" {
			t.Errorf("read %q, %v", buf, err)
		}
		io.WriteString(s, "ho")
		synctest.Wait()
		if len(answers) != 2 || answers[0].Cmd != relaymsg.CmdConnected || answers[1].Cmd != relaymsg.CmdData || string(answers[1].Body) != "ho" {
			t.Errorf("the client got %v", answers)
		}
		peer.Send(3, msg(relaymsg.CmdResolve, 8, 'x', 0))
		synctest.Wait()
		if len(taken) != 2 || taken[1].Cmd != relaymsg.CmdResolve {
			t.Errorf("streams %v", taken)
		}
	})
}

// Nobody may say anything out of place on a circuit to a service.
func TestVirtualHopHostile(t *testing.T) {
	talk := func(relaymsg.Msg) error { return nil }
	meet := func(c *circuit.Circuit, p *fakepeer.Circuit) {
		p.AddService(shared())
		c.AppendVirtualHop(circuit.VirtualHop{Keys: shared()})
	}
	for _, tt := range []struct {
		name string
		do   func(c *circuit.Circuit, p *fakepeer.Circuit)
		want string // in the error; empty if the circuit lives on
	}{
		{"answer that nobody takes", func(_ *circuit.Circuit, p *fakepeer.Circuit) { p.Send(2, msg(relaymsg.CmdRendezvous2, 0)) }, "RENDEZVOUS2 for stream 0 from hop 3"},
		{"answer that is taken", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			c.OnMessage(talk)
			p.Send(2, msg(relaymsg.CmdRendezvous2, 0))
		}, ""},
		{"answer from a hop before", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			c.OnMessage(talk)
			p.Send(1, msg(relaymsg.CmdRendezvous2, 0))
		}, "from hop 2 of 3"},
		{"answer with a stream", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			c.OnMessage(talk)
			p.Send(2, msg(relaymsg.CmdRendezvousEstablished, 3))
		}, "for stream 3"},
		{"what only relays get", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			c.OnMessage(talk)
			p.Send(2, msg(relaymsg.CmdRendezvous1, 0))
		}, "RENDEZVOUS1"},
		{"answer that is wrong", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			c.OnMessage(func(relaymsg.Msg) error { return errors.New("out of turn") })
			p.Send(2, msg(relaymsg.CmdIntroduceAck, 0))
			p.Send(2, msg(relaymsg.CmdIntroduceAck, 0))
		}, "out of turn"},
		{"data of the rendezvous point", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			meet(c, p)
			p.Send(2, msg(relaymsg.CmdData, 1, 'x'))
		}, "DATA for stream 1 from hop 3 of 4"},
		{"answer of the rendezvous point", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			c.OnMessage(talk)
			meet(c, p)
			p.Send(2, msg(relaymsg.CmdRendezvous2, 0))
		}, "from hop 3 of 4"},
		{"service that opens a stream", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			meet(c, p)
			p.Send(3, relaymsg.Msg{Cmd: relaymsg.CmdBegin, Stream: 1, Body: []byte(":80\x00")})
		}, "BEGIN for stream 1"},
		{"relay that opens a stream", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			p.AddClient(shared())
			c.AppendVirtualHop(circuit.VirtualHop{Keys: shared(), Accept: func(stream.Incoming) {}})
			p.Send(2, relaymsg.Msg{Cmd: relaymsg.CmdBegin, Stream: 1, Body: []byte(":80\x00")})
		}, "BEGIN for stream 1 from hop 3"},
		{"end of the circuit", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			meet(c, p)
			p.Send(2, msg(relaymsg.CmdTruncated, 0, 1))
		}, "truncated at hop 3"},
		{"padding of the service", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			meet(c, p)
			p.Send(3, msg(relaymsg.CmdDrop, 0))
		}, ""},
		{"padding of the rendezvous point", func(c *circuit.Circuit, p *fakepeer.Circuit) {
			meet(c, p)
			p.Send(2, msg(relaymsg.CmdDrop, 0))
		}, "DROP from hop 3"},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{})
			c := w.build(3)
			tt.do(c, w.peer())
			synctest.Wait()
			switch err := c.Err(); {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	bubble(t, "closed before", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(3)
		c.Close()
		if err := c.AppendVirtualHop(circuit.VirtualHop{Keys: shared()}); !errors.Is(err, circuit.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

// A hop without congestion control behind one with it has windows again.
func TestExtendBeyondFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCCWorld(t, nil)
		if err := w.circ.Extend(t.Context(), hop(2, false)); err != nil {
			t.Fatal(err)
		}
		if w.circ.CC() {
			t.Error("congestion control with a hop that knows none")
		}
		s := w.connect(w.circ)
		w.peer().Send(2, msg(relaymsg.CmdXoff, s.ID(), 0))
		synctest.Wait()
		if w.circ.Err() == nil {
			t.Error("XOFF on a stream with windows was taken")
		}
	})
}
