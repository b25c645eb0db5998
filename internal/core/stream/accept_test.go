package stream

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// incoming is a stream that the other end has opened, on which data has come already.
func incoming(t *testing.T, m *Mux, mu *sync.Mutex) Incoming {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	m.AcceptLocked()
	_, err := m.DeliverLocked([]relaymsg.Msg{
		{Cmd: relaymsg.CmdBegin, Stream: 5, Body: []byte("example.com:80\x00")},
		{Cmd: relaymsg.CmdData, Stream: 5, Body: []byte("early")},
	}, nil)
	list := m.TakeIncomingLocked()
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// However a stream stops to be opening, Decided tells; and what came before can be read.
func TestDecided(t *testing.T) {
	for name, tt := range map[string]struct {
		do    func(m *Mux, mu *sync.Mutex, s Incoming)
		ended bool
	}{
		"accepted": {func(_ *Mux, _ *sync.Mutex, s Incoming) { s.Accept(relaymsg.Connected{}) }, false},
		"refused":  {func(_ *Mux, _ *sync.Mutex, s Incoming) { s.Refuse(relaymsg.EndTimeout) }, true},
		"ended by the other end": {func(m *Mux, mu *sync.Mutex, s Incoming) {
			mu.Lock()
			defer mu.Unlock()
			m.DeliverLocked([]relaymsg.Msg{{Cmd: relaymsg.CmdEnd, Stream: 5, Body: []byte{byte(relaymsg.EndMisc)}}}, nil)
		}, true},
		"circuit closed": {func(m *Mux, mu *sync.Mutex, s Incoming) {
			mu.Lock()
			defer mu.Unlock()
			m.CloseLocked(errors.New("closed"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, mu := newMux(&sender{})
			s := incoming(t, m, mu)
			select {
			case <-s.Decided():
				t.Fatal("decided at once")
			default:
			}
			if s.Ended() {
				t.Error("ended at once")
			}
			tt.do(m, mu, s)
			<-s.Decided()
			if s.Ended() != tt.ended {
				t.Errorf("ended: %v", s.Ended())
			}
			var b [5]byte
			if _, err := io.ReadFull(s, b[:]); err != nil || string(b[:]) != "early" {
				t.Errorf("read %q, %v", b, err)
			}
		})
	}
}

func TestEnd(t *testing.T) {
	var send sender
	m, mu := newMux(&send)
	want := relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: netip.MustParseAddr("10.0.0.1"), TTL: 60}
	s := incoming(t, m, mu)
	s.End(want)
	s.End(want) // says nothing any more
	body, err := want.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(send.msgs) != 1 || send.msgs[0].Cmd != relaymsg.CmdEnd || !slices.Equal(send.msgs[0].Body, body) {
		t.Errorf("sent %v", send.msgs)
	}
}

// An exit may say XOFF before CONNECTED: it has no one yet to pass the data on to.
func TestXoffBeforeConnected(t *testing.T) {
	m, mu := newMux(&sender{room: 1000})
	p := congestion.ReadParams(nil, congestion.ExitPath).Flow
	mu.Lock()
	m.SetFlowLocked(&Flow{Params: p, Own: p.XoffClient, Peer: 498})
	s, err := m.OpenLocked(Connect, "example.com:80")
	mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(make([]byte, 498)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if _, err := m.DeliverLocked([]relaymsg.Msg{
		{Cmd: relaymsg.CmdXoff, Stream: s.ID(), Body: []byte{0}},
		{Cmd: relaymsg.CmdConnected, Stream: s.ID()},
	}, nil); err != nil {
		t.Error(err)
	}
	if n, _ := s.flow.out.Room(m.now()); n != 0 {
		t.Errorf("room for %d bytes after XOFF", n)
	}
}
