package circuit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/ntor"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// answers makes a hook that changes the answer to the last of n handshakes.
func answers(n int, change func(c *fakepeer.Circuit, m *relaymsg.Msg) bool) fakepeer.Config {
	return fakepeer.Config{Hooks: fakepeer.Hooks{Answer: func(c *fakepeer.Circuit, hop int, m *relaymsg.Msg) bool {
		if hop != n-2 {
			return true
		}
		return change(c, m)
	}}}
}

// A relay that answers a handshake wrongly ends the circuit, whichever hop it is.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
func TestHostileHandshake(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*relaymsg.Msg)
		is     error
	}{
		{"other key", func(m *relaymsg.Msg) { m.Body[5] ^= 1 }, ntor.ErrAuth},
		{"other proof", func(m *relaymsg.Msg) { m.Body[2+32+31] ^= 1 }, ntor.ErrAuth},
		{"weak key", func(m *relaymsg.Msg) { clear(m.Body[2:34]) }, ntor.ErrWeakKey},
		{"too short", func(m *relaymsg.Msg) { m.Body[1] = 63 }, ntor.ErrLength},
		{"too long", func(m *relaymsg.Msg) { m.Body = append([]byte{0, 65}, make([]byte, 65)...) }, ntor.ErrLength},
		{"empty", func(m *relaymsg.Msg) { m.Body = []byte{0, 0} }, ntor.ErrLength},
		{"longer than the cell", func(m *relaymsg.Msg) { m.Body[0] = 2 }, nil},
	} {
		for n := 1; n <= 3; n++ {
			bubble(t, fmt.Sprintf("%s, hop %d", c.name, n), func(t *testing.T) {
				w := newWorld(t, answers(n, func(_ *fakepeer.Circuit, m *relaymsg.Msg) bool { c.change(m); return true }))
				circ, err := circuit.Create(t.Context(), w.link(), hop(0, false), circuit.Options{})
				for i := 1; i < n && err == nil; i++ {
					err = circ.Extend(t.Context(), hop(i, false))
				}
				if !isProtocolError(err) || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("error %v, want %v", err, c.is)
				}
				w.relay.WaitFor("DESTROY", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdDestroy] == 1 })
			})
		}
	}
	bubble(t, "CREATED_FAST with a wrong hash", func(t *testing.T) {
		w := newWorld(t, answers(1, func(_ *fakepeer.Circuit, m *relaymsg.Msg) bool { m.Body[30] ^= 1; return true }))
		if _, err := circuit.CreateFast(t.Context(), w.link(), circuit.Options{}); !isProtocolError(err) || !errors.Is(err, kdf.ErrAuth) {
			t.Errorf("error %v", err)
		}
	})
	for name, exts := range map[string]circext.List{
		"an extension that was not asked for": {circext.CCResponse{SendmeInc: 31}.Extension()},
	} {
		bubble(t, name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{V3Exts: exts})
			if _, err := circuit.Create(t.Context(), w.link(), hop(0, true), circuit.Options{}); !isProtocolError(err) {
				t.Errorf("error %v", err)
			}
		})
	}
	bubble(t, "an extension that is not known", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{V3Exts: circext.List{{Type: 99, Body: []byte("?")}}})
		if _, err := circuit.Create(t.Context(), w.link(), hop(0, true), circuit.Options{}); err != nil {
			t.Errorf("error %v", err)
		}
	})
}

// Other answers to a handshake than its own end the circuit too.
func TestAnswerOutOfPlace(t *testing.T) {
	for _, c := range []struct {
		name string
		hops int
		send func(c *fakepeer.Circuit)
		want string
	}{
		{"CREATED_FAST to CREATE2", 1, func(c *fakepeer.Circuit) { sendCell(c, cell.CmdCreatedFast) }, "unexpected CREATED_FAST"},
		{"RELAY to CREATE2", 1, func(c *fakepeer.Circuit) { sendCell(c, cell.CmdRelay) }, "no hop has sent"},
		{"CREATED to CREATE2", 1, func(c *fakepeer.Circuit) { sendCell(c, cell.CmdCreated) }, "CREATED from a relay"},
		{"CREATED2 to EXTEND2", 2, func(c *fakepeer.Circuit) { sendCell(c, cell.CmdCreated2) }, "unexpected CREATED2"},
		{"EXTENDED2 of a hop before", 3, func(c *fakepeer.Circuit) { c.Send(0, msg(relaymsg.CmdExtended2, 0, 0, 0)) }, "unexpected EXTENDED2 from hop 1"},
		{"EXTENDED2 of a stream", 2, func(c *fakepeer.Circuit) { c.Send(0, msg(relaymsg.CmdExtended2, 1, 0, 0)) }, "EXTENDED2 for stream 1"},
		{"EXTENDED", 2, func(c *fakepeer.Circuit) { c.Send(0, msg(relaymsg.CmdExtended, 0)) }, "obsolete"},
	} {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, answers(c.hops, func(circ *fakepeer.Circuit, _ *relaymsg.Msg) bool {
				c.send(circ)
				return false
			}))
			_, err := w.tryBuild(t.Context(), c.hops, circuit.Options{})
			if !isProtocolError(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func sendCell(c *fakepeer.Circuit, cmd cell.Command) {
	c.Conn().Send(cell.Cell{Circ: c.ID(), Cmd: cmd})
}

func msg(cmd relaymsg.Command, stream uint16, body ...byte) relaymsg.Msg {
	return relaymsg.Msg{Cmd: cmd, Stream: stream, Body: body}
}

// Relays may end a circuit at any time, and say why.
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
func TestPeerCloses(t *testing.T) {
	for reason := range cell.DestroyNoSuchService + 2 {
		bubble(t, "DESTROY "+reason.String(), func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{})
			c := w.build(3)
			s := w.connect(c)
			w.peer().Destroy(reason)
			checkPeerClosed(t, c, s, circuit.PeerClosedError{Reason: reason})
			synctest.Wait()
			if n := w.relay.Stats().Cells[cell.CmdDestroy]; n != 0 {
				t.Error("DESTROY was answered")
			}
		})
	}
	for hop := range 3 {
		bubble(t, fmt.Sprintf("TRUNCATED by hop %d", hop+1), func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{})
			c := w.build(3)
			s := w.connect(c)
			w.peer().Truncated(hop, cell.DestroyConnectFailed)
			checkPeerClosed(t, c, s, circuit.PeerClosedError{Reason: cell.DestroyConnectFailed, Truncated: true, Hop: hop + 1})
			w.relay.WaitFor("DESTROY", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdDestroy] == 1 })
		})
	}
	bubble(t, "TRUNCATED without a reason", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(3)
		s := w.connect(c)
		w.peer().Send(1, msg(relaymsg.CmdTruncated, 0))
		checkPeerClosed(t, c, s, circuit.PeerClosedError{Truncated: true, Hop: 2})
	})
	bubble(t, "DESTROY to CREATE2", func(t *testing.T) {
		w := newWorld(t, answers(1, func(c *fakepeer.Circuit, _ *relaymsg.Msg) bool {
			c.Destroy(cell.DestroyResourceLimit)
			return false
		}))
		_, err := w.tryBuild(t.Context(), 1, circuit.Options{})
		if e, ok := errors.AsType[*circuit.PeerClosedError](err); !ok || e.Reason != cell.DestroyResourceLimit {
			t.Errorf("error %v", err)
		}
	})
	bubble(t, "relay that is not there", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(2)
		other := hop(2, false)
		other.RSA[0] ^= 1
		err := c.Extend(t.Context(), other)
		if e, ok := errors.AsType[*circuit.PeerClosedError](err); !ok || *e != (circuit.PeerClosedError{Reason: cell.DestroyConnectFailed, Truncated: true, Hop: 2}) {
			t.Errorf("error %v", err)
		}
	})
}

func checkPeerClosed(t *testing.T, c *circuit.Circuit, s *stream.Stream, want circuit.PeerClosedError) {
	t.Helper()
	_, err := s.Read(make([]byte, 1))
	if e, ok := errors.AsType[*circuit.PeerClosedError](err); !ok || *e != want {
		t.Errorf("Read: %v, want %v", err, &want)
	}
	<-c.Done()
	if c.Err() != err {
		t.Errorf("circuit ended with %v, the stream with %v", c.Err(), err)
	}
}

// What relays do on an open circuit is either fine, or the end of it.
//
// https://spec.torproject.org/tor-spec/relay-cells.html
func TestHostileCircuit(t *testing.T) {
	const last = 2
	v1Sendme := func(n int) []byte { return append([]byte{1, 0, byte(n)}, make([]byte, n)...) }
	for _, c := range []struct {
		name string
		do   func(p *fakepeer.Circuit, id uint16) // id is that of an open stream
		want string                               // in the *ProtocolError; "" if the circuit lives
		is   error
	}{
		{name: "DROP from the last hop", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdDrop, 0, 1, 2, 3)) }},
		{name: "DROP from the first hop", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(0, msg(relaymsg.CmdDrop, 0)) }, want: "DROP from hop 1"},
		{name: "DROP from the second hop", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(1, msg(relaymsg.CmdDrop, 0)) }, want: "DROP from hop 2"},
		{name: "unknown commands from each hop", do: func(p *fakepeer.Circuit, id uint16) {
			for hop := range 3 {
				p.Send(hop, msg(99, 0))
				p.Send(hop, msg(0, id))
				p.Send(hop, msg(255, 12345))
			}
		}},
		{name: "cells on other circuits", do: func(p *fakepeer.Circuit, _ uint16) {
			for _, cmd := range []cell.Command{cell.CmdRelay, cell.CmdDestroy, cell.CmdCreated2, cell.CmdRelayEarly, cell.CmdCreate2} {
				p.Conn().Send(cell.Cell{Circ: p.ID() ^ 1, Cmd: cmd})
			}
		}},
		{name: "empty DATA", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdData, id)) }},

		{name: "RELAY_EARLY inward", do: func(p *fakepeer.Circuit, id uint16) {
			p.SendAs(last, msg(relaymsg.CmdData, id, 1), cell.CmdRelayEarly)
		}, want: "RELAY_EARLY from a relay"},
		{name: "CREATE2", do: func(p *fakepeer.Circuit, _ uint16) { sendCell(p, cell.CmdCreate2) }, want: "CREATE2 from a relay"},
		{name: "CREATE_FAST", do: func(p *fakepeer.Circuit, _ uint16) { sendCell(p, cell.CmdCreateFast) }, want: "CREATE_FAST from a relay"},
		{name: "CREATE", do: func(p *fakepeer.Circuit, _ uint16) { sendCell(p, cell.CmdCreate) }, want: "CREATE from a relay"},
		{name: "CREATED2 unasked", do: func(p *fakepeer.Circuit, _ uint16) { sendCell(p, cell.CmdCreated2) }, want: "unexpected CREATED2"},
		{name: "CREATED_FAST unasked", do: func(p *fakepeer.Circuit, _ uint16) { sendCell(p, cell.CmdCreatedFast) }, want: "unexpected CREATED_FAST"},
		{name: "garbage", do: func(p *fakepeer.Circuit, _ uint16) {
			p.Conn().Send(cell.Cell{Circ: p.ID(), Cmd: cell.CmdRelay, Body: bytes.Repeat([]byte{0xaa}, cell.BodyLen)})
		}, want: "no hop has sent"},
		{name: "a cell twice", do: func(p *fakepeer.Circuit, id uint16) {
			body := p.Seal(last, msg(relaymsg.CmdData, id, 1))
			for range 2 {
				p.Conn().Send(cell.Cell{Circ: p.ID(), Cmd: cell.CmdRelay, Body: body[:]})
			}
		}, want: "no hop has sent"},
		{name: "a cell left out", do: func(p *fakepeer.Circuit, id uint16) {
			p.Seal(last, msg(relaymsg.CmdData, id, 1))
			p.Send(last, msg(relaymsg.CmdData, id, 2))
		}, want: "no hop has sent"},
		{name: "too long a length", do: func(p *fakepeer.Circuit, id uint16) {
			p.SendBody(last, [cell.BodyLen]byte{byte(relaymsg.CmdData), 0, 0, byte(id >> 8), byte(id), 0, 0, 0, 0, 1, 243})
		}, is: relaymsg.ErrTooLong},

		{name: "DATA from a hop before", do: func(p *fakepeer.Circuit, id uint16) { p.Send(1, msg(relaymsg.CmdData, id, 1)) }, want: "from hop 2 of 3"},
		{name: "END from a hop before", do: func(p *fakepeer.Circuit, id uint16) { p.Send(0, msg(relaymsg.CmdEnd, id, 6)) }, want: "from hop 1 of 3"},
		{name: "SENDME from a hop before", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(1, msg(relaymsg.CmdSendme, 0, v1Sendme(20)...)) }, want: "from hop 2 of 3"},
		{name: "SENDME of a stream from a hop before", do: func(p *fakepeer.Circuit, id uint16) { p.Send(1, msg(relaymsg.CmdSendme, id)) }, want: "from hop 2 of 3"},
		{name: "DATA on stream 0", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdData, 0, 1)) }, want: "DATA for stream 0"},
		{name: "DATA on a stream that never was", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdData, id+1, 1)) }, want: "not there"},
		{name: "CONNECTED on a stream that never was", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdConnected, id-1)) }, want: "not there"},
		{name: "END on a stream that never was", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdEnd, id+1)) }, want: "not there"},
		{name: "DATA after END", do: func(p *fakepeer.Circuit, id uint16) {
			p.Send(last, msg(relaymsg.CmdEnd, id, 6))
			p.Send(last, msg(relaymsg.CmdData, id, 1))
		}, want: "not there"},
		{name: "END after END", do: func(p *fakepeer.Circuit, id uint16) {
			p.Send(last, msg(relaymsg.CmdEnd, id, 6))
			p.Send(last, msg(relaymsg.CmdEnd, id, 6))
		}, want: "not there"},
		{name: "CONNECTED twice", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdConnected, id)) }, want: "CONNECTED out of place"},
		{name: "RESOLVED to BEGIN", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdResolved, id)) }, want: "RESOLVED out of place"},
		{name: "SENDME unexpected", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdSendme, 0, v1Sendme(20)...)) }, is: congestion.ErrUnexpected},
		{name: "SENDME of version 0, unexpected", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdSendme, 0)) }, is: congestion.ErrUnexpected},
		{name: "SENDME of version 2", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdSendme, 0, 2, 0, 0)) }, is: relaymsg.ErrVersion},
		{name: "SENDME with a long tag", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdSendme, 0, 1, 9, 9, 0)) }, is: relaymsg.ErrTruncated},
		{name: "SENDME of a stream, unexpected", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdSendme, id)) }, is: congestion.ErrUnexpected},
		{name: "EXTENDED2 unasked", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdExtended2, 0, 0, 0)) }, want: "unexpected EXTENDED2"},
		{name: "TRUNCATED of a stream", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdTruncated, id, 1)) }, want: "TRUNCATED for stream"},
		{name: "BEGIN", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdBegin, 7, []byte("a:1\x00")...)) }, want: "BEGIN for stream 7"},
		{name: "EXTEND2", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdExtend2, 0)) }, want: "EXTEND2 for stream 0"},
		{name: "TRUNCATE", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(0, msg(relaymsg.CmdTruncate, 0)) }, want: "TRUNCATE for stream 0"},
		{name: "EXTEND", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdExtend, 0)) }, is: relaymsg.ErrObsolete},
		{name: "XOFF", do: func(p *fakepeer.Circuit, id uint16) { p.Send(last, msg(relaymsg.CmdXoff, id, 0)) }, want: "XOFF on a stream that has a window"},
		{name: "PADDING_NEGOTIATED", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(1, msg(relaymsg.CmdPaddingNegotiated, 0, 0, 1, 1, 1)) }, is: relaymsg.ErrTruncated},
		{name: "PADDING_NEGOTIATED unasked", do: func(p *fakepeer.Circuit, _ uint16) {
			p.Send(1, msg(relaymsg.CmdPaddingNegotiated, 0, 0, 1, 1, 0, 0, 0, 0, 1))
		}, want: "nothing was negotiated"},
		{name: "PADDING_NEGOTIATE", do: func(p *fakepeer.Circuit, _ uint16) {
			p.Send(1, msg(relaymsg.CmdPaddingNegotiate, 0, 0, 2, 0, 0, 0, 0, 0, 1))
		}, want: "PADDING_NEGOTIATE for stream 0"},
		{name: "INTRODUCE2", do: func(p *fakepeer.Circuit, _ uint16) { p.Send(last, msg(relaymsg.CmdIntroduce2, 0)) }, want: "INTRODUCE2"},
	} {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{})
			circ := w.build(3)
			s := w.connect(circ)
			p := w.peer()
			p.Conn().Hold() // all in one batch, with something good before and behind it
			p.Send(last, msg(relaymsg.CmdDrop, 0))
			c.do(p, s.ID())
			p.Send(last, msg(relaymsg.CmdDrop, 0))
			p.Conn().Release()
			synctest.Wait()
			err := circ.Err()
			if c.want == "" && c.is == nil {
				if err != nil {
					t.Errorf("circuit closed: %v", err)
				}
				checkWorks(t, w, circ)
				return
			}
			if !isProtocolError(err) || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("circuit closed with %v, want %v %q", err, c.is, c.want)
			}
			if n := w.relay.Stats().Cells[cell.CmdDestroy]; n != 1 {
				t.Errorf("%d times DESTROY", n)
			}
			if circ.Link().Err() != nil {
				t.Errorf("the link ended too: %v", circ.Link().Err())
			}
		})
	}
}

// A stream that is not open takes nothing but the answer to its opening.
func TestHostileOpening(t *testing.T) {
	for _, c := range []struct {
		name string
		send relaymsg.Msg
		want string
		is   error
	}{
		{name: "DATA", send: msg(relaymsg.CmdData, 0, 1), want: "DATA on a stream that is not open"},
		{name: "SENDME", send: msg(relaymsg.CmdSendme, 0), want: "SENDME on a stream that is not open"},
		{name: "RESOLVED", send: msg(relaymsg.CmdResolved, 0), want: "RESOLVED out of place"},
		{name: "CONNECTED cut off", send: msg(relaymsg.CmdConnected, 0, 1, 2, 3), is: relaymsg.ErrTruncated},
		{name: "CONNECTED to another kind of address", send: msg(relaymsg.CmdConnected, 0, append([]byte{0, 0, 0, 0, 5}, make([]byte, 20)...)...), is: relaymsg.ErrMalformed},
	} {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler {
				return func(s *fakepeer.Stream) { s.Send(c.send.Cmd, c.send.Body) }
			}})
			circ := w.build(1)
			err := w.begin(circ).Wait(t.Context())
			if !isProtocolError(err) || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v, want %v %q", err, c.is, c.want)
			}
		})
	}
	bubble(t, "resolve", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		circ := w.build(1)
		s, err := circ.Tunnel().Resolve("example.com")
		if err != nil {
			t.Fatal(err)
		}
		w.peer().Send(0, msg(relaymsg.CmdConnected, s.ID()))
		if _, err := s.Answers(t.Context()); !isProtocolError(err) || !strings.Contains(err.Error(), "CONNECTED out of place") {
			t.Errorf("error %v", err)
		}
	})
}

// SENDMEs must prove that the cells have arrived.
//
// https://spec.torproject.org/proposals/289-authenticated-sendmes.html
func TestHostileSendme(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(c *fakepeer.Circuit, m *relaymsg.Msg)
		min    uint8
		is     error // nil: it is fine
	}{
		{name: "good", change: func(*fakepeer.Circuit, *relaymsg.Msg) {}, min: 1},
		{name: "other tag", change: func(_ *fakepeer.Circuit, m *relaymsg.Msg) { m.Body[22] ^= 1 }, is: congestion.ErrTag},
		{name: "short tag", change: func(_ *fakepeer.Circuit, m *relaymsg.Msg) { m.Body = append([]byte{1, 0, 16}, m.Body[3:19]...) }, is: congestion.ErrTag},
		{name: "no tag", change: func(_ *fakepeer.Circuit, m *relaymsg.Msg) { m.Body = []byte{1, 0, 0} }, is: congestion.ErrTag},
		{name: "version 0, allowed", change: func(_ *fakepeer.Circuit, m *relaymsg.Msg) { m.Body = nil }},
		{name: "version 0, not allowed", change: func(_ *fakepeer.Circuit, m *relaymsg.Msg) { m.Body = nil }, min: 1, is: congestion.ErrVersion},
		{name: "twice", change: func(c *fakepeer.Circuit, m *relaymsg.Msg) {
			c.Send(c.Hops()-1, relaymsg.Msg{Cmd: m.Cmd, Body: slices.Clone(m.Body)})
		}, is: congestion.ErrTag}, // of the hundred cells after those
	} {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{
				Stream: func(string) fakepeer.Handler { return fakepeer.Sink(io.Discard, nil) },
				Hooks: fakepeer.Hooks{Answer: func(circ *fakepeer.Circuit, _ int, m *relaymsg.Msg) bool {
					if m.Cmd == relaymsg.CmdSendme && m.Stream == 0 {
						c.change(circ, m)
					}
					return true
				}},
			})
			circ, err := w.tryBuild(t.Context(), 2, circuit.Options{SendmeAcceptMin: c.min})
			if err != nil {
				t.Fatal(err)
			}
			s := w.connect(circ)
			_, err = s.Write(make([]byte, 498*2500))
			if !errors.Is(err, c.is) || (err == nil) != (c.is == nil) {
				t.Errorf("Write: %v, want %v", err, c.is)
			}
			if c.is == nil {
				return
			}
			if <-circ.Done(); !isProtocolError(circ.Err()) {
				t.Errorf("circuit ended with %v", circ.Err())
			}
		})
	}
}
