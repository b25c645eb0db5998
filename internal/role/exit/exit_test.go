package exit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/role/edge"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// inWorld runs f in a bubble, and then checks that no stream is left.
func inWorld(t *testing.T, cc bool, change func(*Config), f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cc, change)
		f(t, w)
		w.settled()
	})
}

// Which address of a target is used.
func TestAddress(t *testing.T) {
	for _, tt := range []struct {
		name, to string
		flags    uint32
		policy   string
		want     netip.Addr
		reason   relaymsg.EndReason
	}{
		{name: "IPv4", to: "198.51.100.7:80", want: serverIP},
		{name: "IPv6", to: "[2001:db8::7]:80", want: serverIP6},
		{name: "name", to: "example.com:80", want: serverIP},
		{name: "IPv4 by default", to: "both.example.com:80", want: serverIP},
		{name: "IPv4 first", to: "both.example.com:80", flags: v6ok, want: serverIP},
		{name: "IPv6 preferred", to: "both.example.com:80", flags: v6ok | v6first, want: serverIP6},
		{name: "IPv6 preferred and not OK", to: "both.example.com:80", flags: v6first, want: serverIP},
		{name: "IPv6 only", to: "both.example.com:80", flags: v6ok | v4not, want: serverIP6},
		{name: "IPv6 only, none there", to: "example.com:80", flags: v6ok | v4not, reason: relaymsg.EndResolveFailed},
		{name: "IPv6 preferred, refused there", to: "both.example.com:4", flags: v6ok | v6first, want: serverIP},
		{name: "IPv4 first, refused there", to: "both.example.com:6", flags: v6ok, want: serverIP6},
		{name: "refused by both", to: "both.example.com:7", flags: v6ok, reason: relaymsg.EndConnectRefused},
		{name: "IPv6 preferred, policy has none", to: "both.example.com:80", flags: v6ok | v6first, policy: "reject6 *6:*,accept *:*", want: serverIP},
		{name: "policy has IPv6 for this port only", to: "both.example.com:80", flags: v6ok, policy: "reject *4:80,accept *:*", want: serverIP6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, false, func(cfg *Config) {
				if tt.policy != "" {
					cfg.Policy = policyOf(t, tt.policy)
				}
			}, func(t *testing.T, w *world) {
				w.serve(serverIP, 80, echo)
				w.serve(serverIP6, 80, echo)
				w.serve(serverIP, 4, echo)
				w.serve(serverIP6, 6, echo)
				s := w.begin(w.build(false, 0, 1), tt.to, tt.flags)
				err := s.Wait(t.Context())
				if s.RemoteIP() != tt.want || reasonIn(err) != tt.reason {
					t.Errorf("connected to %v, %v; want %v, %v", s.RemoteIP(), err, tt.want, tt.reason)
				}
				s.Close()
			})
		})
	}
}

// CONNECTED tells the address, and always the same lifetime.
func TestConnectedBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false, nil)
		w.serve(serverIP, 80, func(net.Conn) {}) // ends at once
		var d desk
		d.open(t, w.exit, bodyOf("example.com:80", 0))
		if len(d.sent) != 2 || d.sent[0].Cmd != relaymsg.CmdConnected || d.sent[1].Cmd != relaymsg.CmdEnd || relaymsg.EndReason(d.sent[1].Body[0]) != relaymsg.EndDone {
			t.Fatalf("sent %v, want CONNECTED and END", d.sent)
		}
		if m, err := relaymsg.ParseConnected(d.sent[0].Body); m != (relaymsg.Connected{Addr: serverIP, TTL: 60}) || err != nil {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// Many streams carry a lot both ways at the same time, with fixed windows and with congestion control.
func TestCarry(t *testing.T) {
	for name, cc := range map[string]bool{"fixed windows": false, "congestion control": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, cc, nil, func(t *testing.T, w *world) {
				w.serve(serverIP, 80, echo)
				c := w.build(cc, 0, 1)
				const streams, size = 5, 1 << 20
				done := make(chan error)
				for i := range streams {
					go func() { done <- exchange(w.connect(c, "example.com:80"), byte(i), size) }()
				}
				for range streams {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				quiet()
				var read, written int64
				for _, ev := range w.noted() {
					if read += ev.Read; ev.Port != 80 || ev.IPv6 {
						t.Errorf("%+v", ev)
					}
					written += ev.Written
				}
				if read != streams*size || written != streams*size {
					t.Errorf("noted %d bytes from and %d to the server", read, written)
				}
				if c.Err() != nil {
					t.Error(c.Err())
				}
			})
		})
	}
}

// exchange sends size bytes to an echo, and expects them back.
func exchange(s *stream.Stream, seed byte, size int) error {
	want, got := make([]byte, size), make([]byte, size)
	mathrand.NewChaCha8([32]byte{seed}).Read(want)
	go s.Write(want)
	_, err := io.ReadFull(s, got)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("other bytes came back")
	}
	return errors.Join(err, s.Close())
}

// What the client sends before it is connected arrives as soon as it is; with congestion control, even what is so much
// that the exit says XOFF.
func TestOptimisticData(t *testing.T) {
	for name, cc := range map[string]bool{"fixed windows": false, "congestion control": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, cc, nil, func(t *testing.T, w *world) {
				known := make(chan struct{})
				w.names["late.example.com"] = func(context.Context) (resolver.Answer, []string, error) {
					<-known
					return resolver.Answer{Addrs: []netip.Addr{serverIP}}, nil, nil
				}
				w.serve(serverIP, 80, echo)
				c := w.build(cc, 0, 1)
				s := w.begin(c, "late.example.com:80", 0)
				done := make(chan error)
				go func() { done <- exchange(s, 1, 2<<20) }()
				time.Sleep(time.Second)
				select {
				case <-s.Decided():
					t.Fatal("connected, or not, before the name was known")
				default:
				}
				close(known)
				if err := <-done; err != nil || c.Err() != nil {
					t.Error(err, c.Err())
				}
			})
		})
	}
}

// When the server is done, the client gets all that it has sent, and then its end.
func TestServerEnds(t *testing.T) {
	const size = 400_000 // more than a window
	for _, tt := range []struct {
		name string
		end  func(w *world, c net.Conn)
		want error
	}{
		{"close", func(*world, net.Conn) {}, nil},
		{"close of the one direction", func(_ *world, c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite(); io.Copy(io.Discard, c) }, nil},
		{"reset", func(w *world, c net.Conn) { time.Sleep(time.Second); w.net.Reset(w.host, w.server) }, &stream.EndError{Reason: relaymsg.EndConnReset}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, false, nil, func(t *testing.T, w *world) {
				w.serve(serverIP, 80, func(c net.Conn) {
					c.Write(make([]byte, size))
					tt.end(w, c)
				})
				s := w.connect(w.build(false, 0, 1), "example.com:80")
				got, err := io.ReadAll(s)
				if len(got) != size || fmt.Sprint(err) != fmt.Sprint(tt.want) {
					t.Errorf("%d bytes, %v; want %d, %v", len(got), err, size, tt.want)
				}
				w.settled() // though the client has not closed its end
			})
		})
	}
}

// When the client is done, the server still gets all that it has sent.
func TestClientEnds(t *testing.T) {
	const size = 200_000
	for name, end := range map[string]func(*circuit.Circuit, *stream.Stream){
		"END":     func(_ *circuit.Circuit, s *stream.Stream) { s.Close() },
		"MISC":    func(_ *circuit.Circuit, s *stream.Stream) { s.Refuse(relaymsg.EndMisc) }, // C tor's clients tell no other
		"DESTROY": func(c *circuit.Circuit, _ *stream.Stream) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, false, nil, func(t *testing.T, w *world) {
				got := make(chan []byte, 1)
				w.serve(serverIP, 80, func(c net.Conn) {
					time.Sleep(time.Second)
					b, err := io.ReadAll(c)
					if err != nil {
						t.Error(err)
					}
					got <- b
				})
				c := w.build(false, 0, 1)
				s := w.connect(c, "example.com:80")
				if _, err := s.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
				quiet()
				end(c, s)
				if b := <-got; len(b) != size {
					t.Errorf("the server got %d bytes, want %d", len(b), size)
				}
			})
		})
	}
}

// A server that does not take what the client has left behind is given up, whether it is silent or slow; and as long as
// the client is there it has all the time that it wants.
func TestLinger(t *testing.T) {
	for name, every := range map[string]time.Duration{"silent": 24 * time.Hour, "slow": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, false, nil, func(t *testing.T, w *world) {
				closed := make(chan struct{})
				w.serve(serverIP, 80, func(c net.Conn) {
					for {
						select {
						case <-closed:
							return
						case <-time.After(every):
							c.Read(make([]byte, 1))
						}
					}
				})
				s := w.connect(w.build(false, 0, 1), "example.com:80")
				s.SetWriteDeadline(time.Now().Add(time.Hour))
				if n, err := s.Write(make([]byte, 10<<20)); err == nil {
					t.Fatalf("%d bytes went nowhere", n)
				}
				if all, _ := w.exit.Streams(); all != 1 {
					t.Errorf("%d streams after an hour of waiting", all)
				}
				s.Close()
				start := time.Now()
				for all := 1; all > 0; all, _ = w.exit.Streams() {
					time.Sleep(time.Second)
				}
				if d := time.Since(start); d < edge.Linger || d > 2*edge.Linger+time.Second {
					t.Errorf("the socket was closed after %v", d)
				}
				close(closed)
			})
		})
	}
}

// A client that does not read stops the server, not the exit's memory.
func TestBackPressure(t *testing.T) {
	for name, cc := range map[string]bool{"fixed windows": false, "congestion control": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, cc, nil, func(t *testing.T, w *world) {
				sent := make(chan int, 1)
				w.serve(serverIP, 80, func(c net.Conn) {
					c.SetWriteDeadline(time.Now().Add(time.Hour))
					n, _ := c.Write(make([]byte, 16<<20))
					sent <- n
				})
				s := w.connect(w.build(cc, 0, 1), "example.com:80")
				if n := <-sent; n > 2<<20 {
					t.Errorf("%d bytes were taken from the server", n)
				}
				s.Close()
			})
		})
	}
}

// What is under way for a stream ends with the stream, whoever ends it.
func TestGivenUp(t *testing.T) {
	ends := map[string]func(w *world, c *circuit.Circuit, s *stream.Stream){
		"END":              func(_ *world, _ *circuit.Circuit, s *stream.Stream) { s.Close() },
		"DESTROY":          func(_ *world, c *circuit.Circuit, _ *stream.Stream) { c.Close() },
		"link of the exit": func(w *world, _ *circuit.Circuit, _ *stream.Stream) { w.net.Reset(w.host, w.guard) },
	}
	for what, to := range map[string]string{"dial": "198.51.100.66:80", "name": "hangs.example.com:80"} {
		for by, end := range ends {
			t.Run(what+", "+by, func(t *testing.T) {
				inWorld(t, false, nil, func(t *testing.T, w *world) {
					w.silent()
					c := w.build(false, 0, 1)
					s := w.begin(c, to, 0)
					s.Write([]byte("optimistic"))
					quiet()
					if all, waiting := w.exit.Streams(); all != 1 || waiting != 1 {
						t.Fatalf("%d streams, %d waiting", all, waiting)
					}
					end(w, c, s)
					w.settled()
				})
			})
		}
	}
}

// silent adds a host that never answers, and a name that is never found.
func (w *world) silent() {
	w.dead = w.net.Host("silent", netip.MustParseAddr("198.51.100.66"))
	w.net.Cut(w.host, w.dead)
	w.names.hangs("hangs.example.com")
}

// A connection that never completes ends after ConnectTimeout, which both addresses of a name share.
func TestConnectTimeout(t *testing.T) {
	inWorld(t, false, nil, func(t *testing.T, w *world) {
		w.net.Cut(w.host, w.server)
		start := time.Now()
		err := w.begin(w.build(false, 0, 1), "both.example.com:80", v6ok).Wait(t.Context())
		if d := time.Since(start); reasonIn(err) != relaymsg.EndTimeout || d.Round(time.Second) != time.Minute {
			t.Errorf("%v after %v", err, d)
		}
	})
}

// Floods of streams that never connect.
func TestFlood(t *testing.T) {
	for _, tt := range []struct {
		name           string
		change         func(*Config)
		circuits, each int
		want           map[relaymsg.EndReason]int
	}{
		{"one circuit", func(c *Config) { c.MaxWaitingCircuit = 100 }, 1, 500, map[relaymsg.EndReason]int{relaymsg.EndMisc: 400}},
		{"many circuits", func(c *Config) { c.MaxWaiting = 100 }, 10, 50, map[relaymsg.EndReason]int{relaymsg.EndMisc: 400}},
		{"sockets", func(c *Config) { c.MaxStreams = 100 }, 2, 100, map[relaymsg.EndReason]int{relaymsg.EndResourceLimit: 100}},
		{"by default", nil, 1, 2000, map[relaymsg.EndReason]int{relaymsg.EndMisc: 2000 - 512}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, false, tt.change, func(t *testing.T, w *world) {
				w.silent()
				w.serve(serverIP, 80, echo)
				got := map[relaymsg.EndReason]int{}
				var open []*stream.Stream
				for range tt.circuits {
					c := w.build(false, 0, 1)
					for range tt.each {
						open = append(open, w.begin(c, "198.51.100.66:80", 0))
					}
				}
				quiet()
				for _, s := range open {
					select {
					case <-s.Decided():
						got[reasonIn(s.Wait(t.Context()))]++
					default:
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("refused %v, want %v", got, tt.want)
				}
				for _, s := range open {
					s.Close()
				}
				quiet()
				s := w.connect(w.build(false, 0, 1), "example.com:80") // there is room again
				s.Close()
			})
		})
	}
}

// Thousands of streams in a circuit, all of them open.
func TestThousands(t *testing.T) {
	inWorld(t, true, func(c *Config) { c.MaxWaitingCircuit = 5000 }, func(t *testing.T, w *world) {
		w.serve(serverIP, 80, echo)
		c := w.build(true, 0, 1)
		var list []*stream.Stream
		for range 3000 {
			s := w.begin(c, "example.com:80", 0)
			s.Write([]byte("hello"))
			list = append(list, s)
		}
		for _, s := range list {
			var b [5]byte
			if _, err := io.ReadFull(s, b[:]); err != nil || string(b[:]) != "hello" {
				t.Fatalf("%q, %v", b, err)
			}
		}
		if all, waiting := w.exit.Streams(); all != len(list) || waiting != 0 {
			t.Errorf("%d streams, %d waiting", all, waiting)
		}
		c.Close()
	})
}

// Who may not have streams.
func TestWhoAsks(t *testing.T) {
	t.Run("one hop", func(t *testing.T) {
		inWorld(t, false, nil, func(t *testing.T, w *world) {
			w.serve(serverIP, 80, echo)
			c := w.build(false, 1)
			if err := w.begin(c, "example.com:80", 0).Wait(t.Context()); reasonIn(err) != relaymsg.EndTorProtocol {
				t.Errorf("%v", err)
			}
		})
	})
	for name, known := range map[string]bool{"known": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, false, func(cfg *Config) {
				cfg.KnownRelay = func(p link.Peer) bool {
					if p.RSA != ids[0].RSA() || p.Ed != ids[0].Ed() || !p.HasEd {
						t.Errorf("asked about %+v", p)
					}
					return known
				}
			}, func(t *testing.T, w *world) {
				w.serve(serverIP, 80, echo)
				s := w.begin(w.build(false, 0, 1), "example.com:80", 0)
				err := s.Wait(t.Context())
				if (err == nil) != known || !known && reasonIn(err) != relaymsg.EndMisc {
					t.Errorf("%v", err)
				}
				s.Close()
			})
		})
	}
}

// What the defence against floods decides is done.
func TestMayStream(t *testing.T) {
	for name, verdict := range map[string]Verdict{"stream": RefuseStream, "circuit": CloseCircuit} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, false, func(cfg *Config) {
				cfg.MayStream = func(*circuit.RelayCircuit) Verdict { return verdict }
			}, func(t *testing.T, w *world) {
				w.serve(serverIP, 80, echo)
				c := w.build(false, 0, 1)
				err := w.begin(c, "example.com:80", 0).Wait(t.Context())
				if verdict == CloseCircuit {
					if closed, ok := errors.AsType[*circuit.PeerClosedError](c.Err()); err == nil || !ok {
						t.Errorf("%v, %v", err, closed)
					}
					return
				}
				if reasonIn(err) != relaymsg.EndMisc {
					t.Errorf("%v", err)
				}
				if a := w.resolve(c, "example.com"); len(a) != 1 || a[0].Type != relaymsg.AnswerErrorTransient {
					t.Errorf("RESOLVE: %v", a)
				}
			})
		})
	}
}

// A new policy is for new streams; those that are open and that it does not allow end when that is asked for.
func TestReevaluate(t *testing.T) {
	inWorld(t, false, nil, func(t *testing.T, w *world) {
		w.serve(serverIP, 80, echo)
		w.serve(serverIP, 443, echo)
		w.silent()
		c := w.build(false, 0, 1)
		bad, good := w.connect(c, "example.com:80"), w.connect(c, "example.com:443")
		late := w.begin(c, "198.51.100.66:80", 0) // under way
		quiet()
		if n := w.exit.Reevaluate(); n != 0 {
			t.Errorf("%d streams end under the same policy", n)
		}
		w.exit.SetPolicy(policyOf(t, "accept *:443,reject *:*"))
		if err := w.begin(c, "example.com:80", 0).Wait(t.Context()); reasonIn(err) != relaymsg.EndExitPolicy {
			t.Errorf("under the new policy: %v", err)
		}
		if err := exchangeSome(bad); err != nil {
			t.Errorf("the open stream has ended before that was asked for: %v", err)
		}
		if n := w.exit.Reevaluate(); n != 1 {
			t.Errorf("%d streams end, want 1", n)
		}
		if _, err := bad.Read(make([]byte, 1)); reasonIn(err) != relaymsg.EndExitPolicy {
			t.Errorf("the stream that is not allowed: %v", err)
		}
		if err := exchangeSome(good); err != nil {
			t.Errorf("the stream that is allowed: %v", err)
		}
		w.net.Heal(w.host, w.dead)
		w.exit.SetPolicy(nil)
		if n := w.exit.Reevaluate(); n != 1 {
			t.Errorf("%d streams end when nothing is allowed, want 1", n)
		}
		late.Close()
	})
}

// A connection that was begun under a policy that is gone when it succeeds.
func TestPolicyChangesDuringDial(t *testing.T) {
	inWorld(t, false, nil, func(t *testing.T, w *world) {
		w.serve(serverIP, 80, echo)
		w.net.Cut(w.host, w.server)
		s := w.begin(w.build(false, 0, 1), "example.com:80", 0)
		quiet()
		w.exit.SetPolicy(policyOf(t, "reject *:*"))
		w.net.Heal(w.host, w.server)
		if err := s.Wait(t.Context()); reasonIn(err) != relaymsg.EndExitPolicy {
			t.Errorf("%v", err)
		}
	})
}

func exchangeSome(s *stream.Stream) error {
	var b [4]byte
	if _, err := s.Write([]byte("ping")); err != nil {
		return err
	}
	_, err := io.ReadFull(s, b[:])
	return err
}

// Run ends all streams, and takes no more.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false, nil)
		w.serve(serverIP, 80, echo)
		w.silent()
		c := w.build(false, 0, 1)
		streams := []*stream.Stream{w.connect(c, "example.com:80"), w.begin(c, "198.51.100.66:80", 0), w.begin(c, "hangs.example.com:80", 0)}
		question, err := c.Tunnel().Resolve("hangs.example.com")
		if err != nil {
			t.Fatal(err)
		}
		quiet()
		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("over")
		cancel(over)
		if err := w.exit.Run(ctx); err != over {
			t.Errorf("Run: %v", err)
		}
		w.settled()
		streams = append(streams, w.begin(c, "example.com:80", 0))
		for i, s := range streams {
			if _, err := s.Read(make([]byte, 1)); reasonIn(err) != relaymsg.EndHibernating {
				t.Errorf("stream %d: %v", i, err)
			}
		}
		if _, err := question.Answers(t.Context()); err == nil {
			t.Error("the question has an answer")
		}
		if a := w.resolve(c, "example.com"); len(a) != 1 || a[0].Type != relaymsg.AnswerErrorTransient {
			t.Errorf("RESOLVE afterwards: %v", a)
		}
	})
}

// What statistics hear.
func TestEvents(t *testing.T) {
	inWorld(t, false, nil, func(t *testing.T, w *world) {
		w.serve(serverIP6, 80, func(c net.Conn) { io.ReadFull(c, make([]byte, 10)); c.Write(make([]byte, 1000)) })
		c := w.build(false, 0, 1)
		s := w.begin(c, "[2001:db8::7]:80", 0)
		s.Write(make([]byte, 10))
		io.Copy(io.Discard, s)
		w.begin(c, "example.com:25", 0).Wait(t.Context())
		w.resolve(c, "example.com")
		quiet()
		want := []Event{
			{Kind: Connected, Port: 80, IPv6: true},
			{Kind: Closed, Port: 80, IPv6: true, Read: 1000, Written: 10},
			{Kind: Refused, Port: 25, Reason: relaymsg.EndExitPolicy},
			{Kind: Resolving},
		}
		if got := w.noted(); !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// A directory is for others to serve.
func TestBeginDir(t *testing.T) {
	inWorld(t, false, nil, func(t *testing.T, w *world) {
		s, err := w.build(false, 0, 1).Tunnel().ConnectDir()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(t.Context()); reasonIn(err) != relaymsg.EndNotDirectory {
			t.Errorf("%v", err)
		}
	})
}
