package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A sender counts what streams send. room is the circuit's window.
type sender struct {
	mu   sync.Mutex
	msgs []relaymsg.Msg
	data int
	room int
	err  error
}

func (s *sender) SendMsg(m relaymsg.Msg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.msgs = append(s.msgs, m)
	return s.err
}

func (s *sender) SendData(_ uint16, p []byte) (n, cells int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, 0, s.err
	}
	for ; cells < min(s.room, s.MaxCells()) && n < len(p); cells++ {
		n += min(s.MaxData(), len(p)-n)
	}
	s.room -= cells
	s.data += n
	return n, cells, nil
}

func (s *sender) MaxData() int  { return 498 }
func (s *sender) MaxCells() int { return 31 }

func newMux(send Sender) (*Mux, *sync.Mutex) {
	m, mu := new(Mux), new(sync.Mutex)
	m.Init(send, mu)
	return m, mu
}

// open opens a stream, as far as CONNECTED.
func open(t testing.TB, m *Mux, mu *sync.Mutex) *Stream {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	s, err := m.OpenLocked(Connect, "example.com:80")
	if err == nil {
		_, err = m.DeliverLocked([]relaymsg.Msg{{Cmd: relaymsg.CmdConnected, Stream: s.ID()}}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// IDs are never 0, never used twice at a time, and not used again while the other end may still send for them.
func TestStreamIDs(t *testing.T) {
	m, mu := newMux(&sender{})
	used := map[uint16]bool{}
	var streams []*Stream
	for {
		mu.Lock()
		s, err := m.OpenLocked(Connect, "")
		mu.Unlock()
		if err != nil {
			if err != ErrFull || len(streams) != maxStreams {
				t.Fatalf("%v after %d streams", err, len(streams))
			}
			break
		}
		if s.ID() == 0 || used[s.ID()] {
			t.Fatalf("ID %d", s.ID())
		}
		used[s.ID()] = true
		streams = append(streams, s)
	}
	first := streams[0]
	first.Close()
	mu.Lock()
	defer mu.Unlock()
	if _, err := m.OpenLocked(Connect, ""); err != ErrFull {
		t.Errorf("the ID of a stream that the other end does not know to be closed is free: %v", err)
	}
	if _, err := m.DeliverLocked([]relaymsg.Msg{{Cmd: relaymsg.CmdEnd, Stream: first.ID()}}, nil); err != nil {
		t.Error(err)
	}
	if _, err := m.OpenLocked(Connect, ""); err != nil {
		t.Error(err)
	}
	if n := m.CountLocked(); n != maxStreams {
		t.Errorf("%d streams", n)
	}
}

// A closed tunnel ends its streams and opens no new ones. What arrives late harms nobody.
func TestMuxClose(t *testing.T) {
	m, mu := newMux(&sender{})
	s := open(t, m, mu)
	boom := errors.New("boom")
	mu.Lock()
	m.CloseLocked(boom)
	m.CloseLocked(errors.New("too late"))
	if _, err := m.OpenLocked(Connect, ""); err != boom {
		t.Errorf("OpenLocked: %v", err)
	}
	if _, err := m.DeliverLocked([]relaymsg.Msg{{Cmd: relaymsg.CmdData, Stream: s.ID(), Body: []byte("x")}}, nil); err != nil {
		t.Errorf("DeliverLocked: %v", err)
	}
	m.WakeLocked()
	mu.Unlock()
	if _, err := s.Read(make([]byte, 1)); err != boom {
		t.Errorf("Read: %v", err)
	}
	if _, err := s.Write(make([]byte, 1)); err != boom {
		t.Errorf("Write: %v", err)
	}
	if err := s.Wait(context.Background()); err != nil {
		t.Errorf("Wait for a stream that was open: %v", err)
	}
	s.Close()
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
}

// A SENDME may come for cells that the sender is just about to send.
func TestSendmeOvertakesSender(t *testing.T) {
	early := &earlySendme{}
	m, mu := newMux(early)
	early.m, early.mu = m, mu
	s := open(t, m, mu)
	if _, err := s.Write(make([]byte, 498*5000)); err != nil {
		t.Error(err)
	}
	if early.err != nil {
		t.Error(early.err)
	}
}

// An earlySendme acknowledges every cell before SendData has returned.
type earlySendme struct {
	sender
	m     *Mux
	mu    *sync.Mutex
	cells int
	err   error
}

func (e *earlySendme) SendData(id uint16, p []byte) (n, cells int, err error) {
	e.room = 31
	n, cells, err = e.sender.SendData(id, p)
	for e.cells += cells; e.cells >= congestion.StreamIncrement; e.cells -= congestion.StreamIncrement {
		e.mu.Lock()
		if _, err := e.m.DeliverLocked([]relaymsg.Msg{{Cmd: relaymsg.CmdSendme, Stream: id}}, nil); err != nil {
			e.err = err
		}
		e.mu.Unlock()
	}
	return n, cells, err
}

// Writers wait for the circuit's window and for the stream's, and give up what they did not use of the latter.
func TestWriteWaits(t *testing.T) {
	send := &sender{room: 40}
	m, mu := newMux(send)
	s := open(t, m, mu)
	done := make(chan error)
	go func() {
		_, err := s.Write(make([]byte, 498*congestion.StreamWindowStart))
		done <- err
	}()
	for {
		send.mu.Lock()
		data := send.data
		send.room += 7
		send.mu.Unlock()
		if data == 498*congestion.StreamWindowStart {
			break
		}
		mu.Lock()
		m.WakeLocked()
		mu.Unlock()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := s.pack.CanSend(); n != 0 {
		t.Errorf("%d cells are left of the window", n)
	}
}

func TestSenderFails(t *testing.T) {
	send := &sender{room: 10}
	m, mu := newMux(send)
	s := open(t, m, mu)
	send.err = io.ErrClosedPipe
	if _, err := s.Write([]byte("x")); err != io.ErrClosedPipe {
		t.Errorf("Write: %v", err)
	}
	if n := s.pack.CanSend(); n != congestion.StreamWindowStart {
		t.Errorf("window %d", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzMux delivers any messages to a mux with streams of all kinds and states. None may panic, buffer more than a
// window, or lead to a SENDME or END for a stream that was not there.
func FuzzMux(f *testing.F) {
	f.Add([]byte{2, 0, 1, 2, 0, 1, 3, 0, 0})
	f.Add([]byte{4, 1, 0, 2, 1, 200, 5, 1, 0, 3, 1, 1, 6})
	f.Add([]byte(strings.Repeat("\x02\x00\x09", 600)))
	f.Add([]byte{12, 2, 10, 4, 3, 9, 100, 0, 0, 101, 0, 0, 2, 0, 5, 102, 1, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		send := &sender{room: 1 << 30}
		m, mu := newMux(send)
		m.nextID = 100
		streams := []*Stream{open(t, m, mu)}
		for _, kind := range []Kind{Connect, Resolve, Connect} {
			mu.Lock()
			s, err := m.OpenLocked(kind, "")
			mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		}
		for ; len(in) >= 3; in = in[3:] {
			s := streams[int(in[1])%len(streams)]
			switch in[0] {
			case 100:
				s.Close()
			case 101:
				s.CloseWrite()
			case 102:
				s.mu.Lock()
				n := s.in.size
				s.mu.Unlock()
				if n > 0 {
					s.Read(make([]byte, int(in[2])+1))
				}
			case 103:
				s.mu.Lock()
				room := s.pack.CanSend()
				s.mu.Unlock()
				if room > 0 {
					s.Write(make([]byte, min(int(in[2]), room*498)))
				}
			default:
				msg := relaymsg.Msg{Cmd: relaymsg.Command(in[0]), Stream: 100 + uint16(in[1])%5, Body: make([]byte, in[2])}
				mu.Lock()
				_, err := m.DeliverLocked([]relaymsg.Msg{msg, msg}, nil)
				if err != nil {
					m.CloseLocked(err)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
			for _, s := range streams {
				if s.in.size > congestion.StreamWindowStart*498 {
					t.Fatalf("stream %d holds %d bytes", s.ID(), s.in.size)
				}
			}
		}
		ended := map[uint16]bool{}
		for _, msg := range send.msgs {
			if msg.Stream < 100 || msg.Stream > 103 || ended[msg.Stream] {
				t.Fatalf("sent %v for stream %d", msg.Cmd, msg.Stream)
			}
			ended[msg.Stream] = msg.Cmd == relaymsg.CmdEnd
		}
	})
}
