package stream

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A tryWriter takes room bytes without waiting, and everything in Write.
type tryWriter struct {
	mu    sync.Mutex
	room  int
	err   error
	got   bytes.Buffer
	tries int // of TryWrite
	waits int // calls of Write
}

func (w *tryWriter) TryWrite(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries++
	n := min(len(p), w.room)
	w.room -= n
	w.got.Write(p[:n])
	return n, w.err
}

func (w *tryWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits++
	return w.got.Write(p)
}

// arrive delivers data as a tunnel does.
func arrive(t *testing.T, m *Mux, mu *sync.Mutex, msgs ...relaymsg.Msg) {
	t.Helper()
	mu.Lock()
	ready, err := m.DeliverLocked(msgs, nil)
	mu.Unlock()
	if err != nil {
		t.Error(err)
	}
	Flush(ready)
}

func data(s *Stream, text string) relaymsg.Msg {
	return relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: s.ID(), Body: []byte(text)}
}

func TestSink(t *testing.T) {
	end := func(s *Stream) relaymsg.Msg {
		return relaymsg.Msg{Cmd: relaymsg.CmdEnd, Stream: s.ID(), Body: []byte{byte(relaymsg.EndDone)}}
	}
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		w     *tryWriter
		play  func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg))
		want  string
		err   error
		waits int
	}{
		{name: "all goes without waiting", w: &tryWriter{room: 1000}, want: "onetwothree",
			play: func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg)) {
				arrive(data(s, "one"))
				arrive(data(s, "two"), data(s, "three"))
				arrive(end(s))
			}},
		{name: "end in the same batch", w: &tryWriter{room: 1000}, want: "one",
			play: func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg)) { arrive(data(s, "one"), end(s)) }},
		{name: "some must wait", w: &tryWriter{room: 4}, want: "onetwothree", waits: 2,
			play: func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg)) {
				arrive(data(s, "one"))
				arrive(data(s, "two"))
				synctest.Wait()
				arrive(data(s, "three"))
				synctest.Wait()
				arrive(end(s))
			}},
		{name: "broken", w: &tryWriter{room: 2, err: broken}, want: "on", err: broken,
			play: func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg)) { arrive(data(s, "one")) }},
		{name: "broken at the end", w: &tryWriter{room: 3, err: broken}, want: "one", err: broken,
			play: func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg)) { arrive(data(s, "one")) }},
		{name: "closed", w: &tryWriter{room: 1000}, want: "one", err: ErrClosed,
			play: func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg)) {
				arrive(data(s, "one"))
				s.Close()
				arrive(data(s, "two"))
			}},
		{name: "deadline", w: &tryWriter{room: 1000}, want: "one", err: errors.ErrUnsupported,
			play: func(t *testing.T, s *Stream, arrive func(...relaymsg.Msg)) {
				s.SetReadDeadline(time.Now().Add(time.Second))
				arrive(data(s, "one"))
				time.Sleep(2 * time.Second)
				synctest.Wait()
				arrive(data(s, "two")) // stays in the buffer
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m Mux
				var mu sync.Mutex
				m.Init(&sender{}, &mu)
				s := open(t, &m, &mu)
				type result struct {
					n   int64
					err error
				}
				done := make(chan result, 1)
				go func() {
					n, err := s.WriteTo(tt.w)
					done <- result{n, err}
				}()
				synctest.Wait()
				tt.play(t, s, func(msgs ...relaymsg.Msg) { arrive(t, &m, &mu, msgs...) })
				r := <-done
				if tt.err == errors.ErrUnsupported {
					if ne, ok := r.err.(interface{ Timeout() bool }); !ok || !ne.Timeout() {
						t.Errorf("error %v, want a timeout", r.err)
					}
				} else if !errors.Is(r.err, tt.err) {
					t.Errorf("error %v, want %v", r.err, tt.err)
				}
				if got := tt.w.got.String(); got != tt.want || r.n != int64(len(tt.want)) {
					t.Errorf("got %q, and %d bytes were told, want %q", got, r.n, tt.want)
				}
				if tt.waits == 0 && tt.w.waits > 0 || tt.w.waits > tt.waits || tt.w.tries == 0 {
					t.Errorf("%d tries and %d waits, want waits: %d", tt.w.tries, tt.w.waits, tt.waits)
				}
				s.SetDeadline(time.Time{})
				if tt.name == "deadline" {
					rest := make([]byte, 10)
					if n, err := s.Read(rest); string(rest[:n]) != "two" || err != nil {
						t.Errorf("then read %q, %v", rest[:n], err)
					}
				}
			})
		})
	}
}

// Data that comes while the sink is being written to keeps its order.
func TestSinkOrder(t *testing.T) {
	var m Mux
	var mu sync.Mutex
	m.Init(&sender{}, &mu)
	s := open(t, &m, &mu)
	r, w := io.Pipe()
	go s.WriteTo(struct {
		io.Writer
		*slowTry
	}{w, &slowTry{w: w}})
	go func() {
		for i := range 400 {
			arrive(t, &m, &mu, data(s, string(rune('a'+i%26))))
		}
	}()
	for i := range 400 {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil || b[0] != byte('a'+i%26) {
			t.Fatalf("byte %d is %q, %v", i, b, err)
		}
	}
	s.Close()
	r.Close()
}

// slowTry takes every third piece.
type slowTry struct {
	w io.Writer
	n int
}

func (s *slowTry) TryWrite(p []byte) (int, error) {
	if s.n++; s.n%3 != 0 {
		return 0, nil
	}
	return s.w.Write(p)
}
