package hsclient

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const paddingSpec = "https://spec.torproject.org/padding-spec/circuit-level-padding.html"

// sayPadding makes the second relay of a circuit speak of its machine.
func sayPadding(c *fakepeer.Circuit, command uint8, ask relaymsg.PaddingNegotiate) {
	body := must(relaymsg.PaddingNegotiated{
		Command: command, Response: relaymsg.PaddingOK, MachineType: ask.MachineType, MachineCtr: ask.MachineCtr,
	}.AppendTo(nil))
	c.Send(1, relaymsg.Msg{Cmd: relaymsg.CmdPaddingNegotiated, Body: body})
}

// padAs is a second relay whose machine for introductions sends cells, and stops by itself if it is to.
func padAs(stops bool) func(*fakepeer.Circuit, relaymsg.PaddingNegotiate) {
	return func(c *fakepeer.Circuit, ask relaymsg.PaddingNegotiate) {
		sayPadding(c, ask.Command, ask)
		if ask.Command != relaymsg.PaddingStart {
			return
		}
		c.Send(1, relaymsg.Msg{Cmd: relaymsg.CmdDrop})
		if stops && padding.Machine(ask.MachineType) == padding.Intro {
			c.Send(1, relaymsg.Msg{Cmd: relaymsg.CmdDrop})
			sayPadding(c, relaymsg.PaddingStop, ask)
		}
	}
}

// destroyed returns how many circuits the client has closed.
func (b *bed) destroyed() int {
	synctest.Wait()
	return b.relay.Stats().Cells[cell.CmdDestroy]
}

// meets opens a circuit and a stream, which keeps it, and lets all that belongs to it happen.
func (b *bed) meets() {
	b.Helper()
	l := must(b.open("alice", time.Minute))
	s := must(l.Tunnel.Connect(must(relaymsg.NewBegin("", 80, 0))))
	if err := s.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Second)
	synctest.Wait()
}

// The machines begin when C tor's do, at the second relay, and the circuit of the introduction lives as long as one that web pages
// came over, though it has been of no use for long.
func TestPadding(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stops bool
		lives time.Duration
	}{
		{"machine that stops", true, 10 * time.Minute},
		{"machine that does not", false, padSilence},
	} {
		t.Run(tt.name, func(t *testing.T) {
			late := func(c *fakepeer.Circuit, ask relaymsg.PaddingNegotiate) { // later than the introduction point answers: see TestPaddingOver
				time.AfterFunc(time.Second/2, func() { padAs(tt.stops)(c, ask) })
			}
			run(t, setup{padding: new(circuit.PaddingAccount), service: func(s *service) { s.pad = late }}, func(b *bed) {
				b.meets()
				got := b.service.saw().padding
				if len(got) != 5 {
					b.Fatalf("got %q (%s)", got, paddingSpec)
				}
				for _, order := range [][]string{
					{"ESTABLISH_RENDEZVOUS", "hop 2: command 2, machine 1, ctr 1", "hop 2: DROP"},
					{"INTRODUCE1", "hop 2: command 2, machine 0, ctr 1"},
				} {
					if at := slices.Index(got, order[1]); at < 0 || !slices.Contains(got[:at], order[0]) || len(order) > 2 && !slices.Contains(got[at:], order[2]) {
						b.Errorf("got %q, want %q (%s)", got, order, paddingSpec)
					}
				}
				before := b.destroyed()
				time.Sleep(tt.lives - 5*time.Second)
				if n := b.destroyed(); n != before {
					b.Errorf("%d circuits were closed too soon", n-before)
				}
				time.Sleep(padRecheck + 5*time.Second)
				if n := b.destroyed(); n != before+1 {
					b.Errorf("%d circuits were closed, want 1", n-before)
				}
			})
		})
	}
}

// With a new identity, circuits whose padding is over go at once.
func TestPaddingNewIdentity(t *testing.T) {
	run(t, setup{padding: new(circuit.PaddingAccount), service: func(s *service) {
		s.pad = func(c *fakepeer.Circuit, ask relaymsg.PaddingNegotiate) {
			time.AfterFunc(time.Second/2, func() { padAs(true)(c, ask) })
		}
	}}, func(b *bed) {
		b.meets()
		before := b.destroyed()
		b.NewIdentity()
		time.Sleep(time.Second)
		if n := b.destroyed(); n != before+1 {
			b.Errorf("%d circuits were closed, want 1", n-before)
		}
	})
}

// A circuit whose padding is over when the introduction point answers is closed at once, as in C tor.
func TestPaddingOver(t *testing.T) {
	run(t, setup{padding: new(circuit.PaddingAccount), service: func(s *service) {
		s.pad, s.ackDelay = padAs(true), time.Second
		s.meet = func(*fakepeer.Circuit, *hsntor.Request, int) bool { return true }
	}}, func(b *bed) {
		go b.open("alice", 10*time.Second)
		time.Sleep(time.Second)
		before := b.destroyed()
		time.Sleep(time.Second)
		if n := b.destroyed(); n != before+1 {
			b.Errorf("%d circuits were closed, want 1", n-before)
		}
	})
}

// After a refusal the machine is stopped, and there is another one for the next introduction point.
func TestPaddingRefused(t *testing.T) {
	run(t, setup{padding: new(circuit.PaddingAccount), service: func(s *service) {
		s.pad = padAs(false)
		s.introduce = func(c *fakepeer.Circuit, _, n int) bool {
			if n == 0 {
				ack(c, c.Hops()-1, relaymsg.IntroduceUnknownID)
			}
			return n == 0
		}
	}}, func(b *bed) {
		b.meets()
		got := slices.DeleteFunc(b.service.saw().padding, func(s string) bool {
			return strings.Contains(s, "machine 1") || strings.Contains(s, "DROP") || s == "ESTABLISH_RENDEZVOUS"
		})
		want := []string{
			"INTRODUCE1", "hop 2: command 2, machine 0, ctr 1", "hop 2: command 1, machine 0, ctr 1",
			"INTRODUCE1", "hop 2: command 2, machine 0, ctr 2",
		}
		if !slices.Equal(got, want) {
			b.Errorf("got %q, want %q (%s)", got, want, paddingSpec)
		}
	})
}

// A service that comes before the introduction point answers does not make the circuit to that any shorter.
func TestPaddingServiceFirst(t *testing.T) {
	for _, tt := range []struct {
		name  string
		delay time.Duration // of the answer
		pad   func(*fakepeer.Circuit, relaymsg.PaddingNegotiate)
		lives time.Duration
	}{
		{"padding, then the answer", 5 * time.Second, padAs(true), 5 * time.Second},
		{"the answer, and no end of padding", 5 * time.Second, padAs(false), padSilence},
		{"no answer", time.Hour, padAs(false), patience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{padding: new(circuit.PaddingAccount), service: func(s *service) { s.pad, s.ackDelay = tt.pad, tt.delay }}, func(b *bed) {
				b.meets()
				before := b.destroyed()
				time.Sleep(tt.lives - 3*time.Second)
				if n := b.destroyed(); n != before {
					b.Errorf("%d circuits were closed too soon", n-before)
				}
				time.Sleep(padRecheck + 5*time.Second)
				if n := b.destroyed(); n != before+1 {
					b.Errorf("%d circuits were closed, want 1", n-before)
				}
			})
		})
	}
}

// Nobody is asked for padding that the user does not want.
func TestNoPadding(t *testing.T) {
	off := new(circuit.PaddingAccount)
	off.SetParams(padding.Params{Reduced: true})
	for name, account := range map[string]*circuit.PaddingAccount{"none": nil, "reduced": off} {
		run(t, setup{padding: account}, func(b *bed) {
			b.meets()
			if got := b.service.saw().padding; len(got) != 2 {
				b.Errorf("%s: got %q", name, got)
			}
		})
	}
}
