package relay_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/role/relay"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// echo is the Ends of an exit where each stream gets back what it sends.
type echo struct{ relay.Middle }

func (echo) Stream(_ *circuit.RelayCircuit, s stream.Incoming) {
	switch s.Cmd {
	case relaymsg.CmdResolve:
		s.Answer(relaymsg.Resolved{Answers: []relaymsg.Answer{{Type: relaymsg.AnswerIPv4, Addr: netip.MustParseAddr("192.0.2.200"), TTL: 60}}})
	case relaymsg.CmdBegin:
		go func() {
			if s.Accept(relaymsg.Connected{Addr: netip.MustParseAddr("192.0.2.200"), TTL: 60}) == nil {
				io.Copy(s.Stream, struct{ io.Reader }{s.Stream})
			}
			s.Close()
		}()
	}
}

func withEcho(cc bool) func(int, *relay.Config) {
	return func(_ int, cfg *relay.Config) {
		cfg.Ends = echo{}
		if cc {
			cfg.CC = func() *congestion.Params { return congestion.ReadParams(nil, congestion.ExitPath) }
		}
	}
}

// buildTo makes a circuit over relay 0 to relay 1, and asks that for congestion control.
func (w *world) buildTo(cc bool) *circuit.Circuit {
	w.t.Helper()
	l, err := w.client.Get(w.t.Context(), link.Target{Addrs: []netip.AddrPort{addrOf(0)}, RSA: ids[0].RSA(), HasRSA: true})
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := circuit.Create(w.t.Context(), l, w.hop(0, false), circuit.Options{CC: congestion.ReadParams(nil, congestion.ExitPath)})
	if err == nil {
		last := w.hop(1, true)
		last.CC = cc
		err = c.Extend(w.t.Context(), last)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Streams end at a relay of ours: with fixed windows and with congestion control, many at a time.
func TestStreamsEndHere(t *testing.T) {
	for name, cc := range map[string]bool{"fixed windows": false, "congestion control": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{}, withEcho(cc))
				c := w.buildTo(cc)
				done := make(chan error)
				const streams, size = 5, 1 << 20
				for i := range streams {
					go func() {
						s := w.connect(c)
						if s.RemoteIP() != netip.MustParseAddr("192.0.2.200") {
							t.Errorf("connected to %v", s.RemoteIP())
						}
						want, got := make([]byte, size), make([]byte, size)
						mathrand.NewChaCha8([32]byte{byte(i)}).Read(want)
						go s.Write(want)
						_, err := io.ReadFull(s, got)
						if err == nil && !bytes.Equal(got, want) {
							err = errors.New("other bytes came back")
						}
						done <- errors.Join(err, s.Close())
					}()
				}
				for range streams {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				s, err := c.Tunnel().Resolve("example.com")
				if err != nil {
					t.Fatal(err)
				}
				if a, err := s.Answers(t.Context()); err != nil || len(a) != 1 || a[0].Addr != netip.MustParseAddr("192.0.2.200") {
					t.Errorf("RESOLVE: %v, %v", a, err)
				}
				if c.Err() != nil {
					t.Error(c.Err())
				}
				c.Close()
				w.settled()
			})
		})
	}
}

// A directory is served on streams of BEGIN_DIR, and knows the link that they come by.
func TestDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, func(_ int, cfg *relay.Config) {
			cfg.Directory = func(_ context.Context, s net.Conn, by *link.Link) {
				if by.Peer().Relay || by.Peer().Addr.Addr() != netip.MustParseAddr("192.0.2.99") {
					t.Errorf("the stream comes from %+v", by.Peer())
				}
				var b [5]byte
				if _, err := io.ReadFull(s, b[:]); err == nil {
					s.Write(append([]byte("got "), b[:]...))
				}
				s.Close()
			}
		})
		l, err := w.client.Get(t.Context(), link.Target{Addrs: []netip.AddrPort{addrOf(0)}, RSA: ids[0].RSA(), HasRSA: true})
		if err != nil {
			t.Fatal(err)
		}
		c, err := circuit.CreateFast(t.Context(), l, circuit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Tunnel().ConnectDir()
		if err != nil {
			t.Fatal(err)
		}
		s.Write([]byte("hello")) // before it is connected
		if got, err := io.ReadAll(s); string(got) != "got hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// What a client may not send to the end of a circuit: the circuit ends.
func TestHostileStreams(t *testing.T) {
	data := relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: 5, Body: make([]byte, 498)}
	for _, tt := range []struct {
		name string
		cc   bool
		msgs []relaymsg.Msg
		n    int // how often the last of them
	}{
		{"CONNECTED", false, []relaymsg.Msg{{Cmd: relaymsg.CmdBegin, Stream: 5, Body: []byte("a:1\x00")}, {Cmd: relaymsg.CmdConnected, Stream: 5}}, 1},
		{"EXTENDED2", false, []relaymsg.Msg{{Cmd: relaymsg.CmdExtended2}}, 1},
		{"garbled EXTEND2", false, []relaymsg.Msg{{Cmd: relaymsg.CmdExtend2}}, 1},
		{"SENDME unexpected", false, []relaymsg.Msg{{Cmd: relaymsg.CmdSendme}}, 1},
		{"DATA beyond the stream's window", false, []relaymsg.Msg{{Cmd: relaymsg.CmdBegin, Stream: 5, Body: []byte("a:1\x00")}, data}, congestion.StreamWindowStart + 1},
		{"SENDME of a stream with congestion control", true, []relaymsg.Msg{{Cmd: relaymsg.CmdBegin, Stream: 5, Body: []byte("a:1\x00")}, {Cmd: relaymsg.CmdSendme, Stream: 5}}, 1},
		{"XOFF for a RESOLVE", true, []relaymsg.Msg{{Cmd: relaymsg.CmdResolve, Stream: 5, Body: []byte("a\x00")}, {Cmd: relaymsg.CmdXoff, Stream: 5, Body: []byte{0}}}, 1}, // TROVE-2026-018
		{"DATA for a RESOLVE", false, []relaymsg.Msg{{Cmd: relaymsg.CmdResolve, Stream: 5, Body: []byte("a\x00")}, data}, 1},
		{"XOFF on a stream with a window", false, []relaymsg.Msg{{Cmd: relaymsg.CmdBegin, Stream: 5, Body: []byte("a:1\x00")}, {Cmd: relaymsg.CmdXoff, Stream: 5, Body: []byte{0}}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{}, func(i int, cfg *relay.Config) {
					withEcho(tt.cc)(i, cfg)
					cfg.Ends = silent{} // nothing is read
				})
				c := w.buildTo(tt.cc)
				for i, m := range tt.msgs {
					n := 1
					if i == len(tt.msgs)-1 {
						n = tt.n
					}
					for range n {
						var err error
						if m.Cmd == relaymsg.CmdData {
							// It counts for the circuit, and for no stream. Nothing is taken while too much waits for the link.
							for sent := 0; sent == 0 && err == nil && c.Err() == nil; synctest.Wait() {
								sent, _, err = c.Tunnel().SendData(m.Stream, m.Body)
							}
						} else {
							err = c.Tunnel().SendMsg(m)
						}
						if err != nil && c.Err() == nil {
							t.Fatal(err)
						}
					}
				}
				synctest.Wait()
				var closed *circuit.PeerClosedError
				if !errors.As(c.Err(), &closed) {
					t.Errorf("circuit ended with %v", c.Err())
				}
				w.settled()
			})
		})
	}
}

// silent takes streams and does nothing with them.
type silent struct{ relay.Middle }

func (silent) Stream(*circuit.RelayCircuit, stream.Incoming) {}
