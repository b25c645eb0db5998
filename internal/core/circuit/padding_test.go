package circuit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const paddingSpec = "https://spec.torproject.org/padding-spec/circuit-level-padding.html"

// A padded world has a client whose circuits may be padded, and relays that note what they are told of it.
type paddedWorld struct {
	*world
	account circuit.PaddingAccount
	pads    bool // the second relay has machines

	mu    sync.Mutex // guards the fields below
	heard []string
	at    []time.Time
}

func newPaddedWorld(t *testing.T) *paddedWorld {
	w := &paddedWorld{pads: true}
	w.world = newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Message: w.message}})
	return w
}

func (w *paddedWorld) message(_ *fakepeer.Circuit, hop int, m relaymsg.Msg) bool {
	if m.Cmd != relaymsg.CmdDrop && m.Cmd != relaymsg.CmdPaddingNegotiate {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("%d %v", hop+1, m.Cmd)
	if m.Cmd == relaymsg.CmdPaddingNegotiate {
		n, err := relaymsg.ParsePaddingNegotiate(m.Body)
		if err != nil {
			w.t.Error(err)
		}
		text = fmt.Sprintf("%d command %d machine %d ctr %d", hop+1, n.Command, n.MachineType, n.MachineCtr)
	}
	w.heard, w.at = append(w.heard, text), append(w.at, time.Now())
	return true
}

// wantHeard checks what the relays have been told since the last time.
func (w *paddedWorld) wantHeard(want ...string) (at []time.Time) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.heard, want) {
		w.t.Errorf("the relays heard %q, want %q (%s)", w.heard, want, paddingSpec)
	}
	at, w.heard, w.at = w.at, nil, nil
	return at
}

// buildPadded makes a circuit of three hops.
func (w *paddedWorld) buildPadded() *circuit.Circuit {
	w.t.Helper()
	c, err := circuit.Create(context.Background(), w.link(), hop(0, false), circuit.Options{Padding: &w.account})
	for i := 1; i < 3 && err == nil; i++ {
		h := hop(i, true)
		h.Pads = i == 1 && w.pads
		err = c.Extend(context.Background(), h)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// say makes the second relay answer.
func (w *paddedWorld) say(command, response uint8, m padding.Machine, ctr uint32) {
	w.sayFrom(1, command, response, m, ctr)
}

func (w *paddedWorld) sayFrom(hop int, command, response uint8, m padding.Machine, ctr uint32) {
	w.t.Helper()
	body, err := relaymsg.PaddingNegotiated{Command: command, Response: response, MachineType: uint8(m), MachineCtr: ctr}.AppendTo(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.peer().Send(hop, relaymsg.Msg{Cmd: relaymsg.CmdPaddingNegotiated, Body: body})
}

func (w *paddedWorld) drop(hop, n int) {
	for range n {
		w.peer().Send(hop, relaymsg.Msg{Cmd: relaymsg.CmdDrop})
	}
	synctest.Wait()
}

const (
	startCmd, stopCmd = relaymsg.PaddingStart, relaymsg.PaddingStop
	yes, no           = relaymsg.PaddingOK, relaymsg.PaddingErr
)

// A circuit to an introduction point asks its second relay for padding, stays open for it, and streams go on beside it.
func TestPadIntroduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPaddedWorld(t)
		c := w.buildPadded()
		if !c.StartPadding(padding.Intro) {
			t.Fatal("not asked")
		}
		if c.StartPadding(padding.Intro) {
			t.Error("asked twice")
		}
		w.wantHeard("2 command 2 machine 0 ctr 1")
		w.say(startCmd, yes, padding.Intro, 1)
		w.drop(1, 3)
		checkWorks(t, w.world, c)
		if c.Finish() {
			t.Error("closed before the padding is over")
		}
		w.drop(1, 4)
		w.peer().Send(2, msg(relaymsg.CmdIntroduceAck, 0, 0, 0, 0)) // too late
		w.peer().Send(2, msg(relaymsg.CmdTruncated, 0, 1))
		w.drop(1, 1)
		if running, heard := c.Padded(); !running || time.Since(heard) > time.Second || c.Err() != nil {
			t.Errorf("running %v, heard of %v ago, %v", running, time.Since(heard), c.Err())
		}
		w.say(stopCmd, yes, padding.Intro, 1)
		synctest.Wait()
		if running, _ := c.Padded(); running || c.Err() != nil {
			t.Errorf("running %v after STOP; %v", running, c.Err())
		}
		if read, _ := w.registry.Cells(); read.Drop != 8 {
			t.Errorf("%d cells of padding counted", read.Drop)
		}
		if !c.Finish() || c.Err() != circuit.ErrClosed {
			t.Errorf("not closed: %v", c.Err())
		}
		w.wantHeard()
	})
}

// After a refusal to introduce, the machine is stopped, and at the next point there is another.
func TestPadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPaddedWorld(t)
		c := w.buildPadded()
		c.StartPadding(padding.Intro)
		c.StopPadding()
		c.StopPadding()
		w.drop(1, 2) // they were under way
		c.StartPadding(padding.Intro)
		w.wantHeard("2 command 2 machine 0 ctr 1", "2 command 1 machine 0 ctr 1", "2 command 2 machine 0 ctr 2")
		w.say(startCmd, yes, padding.Intro, 1)
		w.say(stopCmd, yes, padding.Intro, 1)
		w.say(startCmd, yes, padding.Intro, 2)
		w.drop(1, 2)
		if running, _ := c.Padded(); !running || c.Err() != nil {
			t.Errorf("running %v, %v", running, c.Err())
		}
		w.say(stopCmd, yes, padding.Intro, 2)
		w.say(stopCmd, yes, padding.Intro, 2) // stale, as is all that a machine says after its end
		synctest.Wait()
		if !c.Finish() {
			t.Error("not closed")
		}
	})
}

// A rendezvous circuit asks, and sends one cell a moment later, even if the relay was faster. The service beyond does not matter.
func TestPadRendezvous(t *testing.T) {
	for _, joined := range []bool{false, true} {
		bubble(t, fmt.Sprint("joined ", joined), func(t *testing.T) {
			w := newPaddedWorld(t)
			c := w.buildPadded()
			if joined {
				w.peer().AddService(shared())
				if err := c.AppendVirtualHop(circuit.VirtualHop{Keys: shared()}); err != nil {
					t.Fatal(err)
				}
			}
			c.PadRendezvous(t.Context())
			at := w.wantHeard("2 command 2 machine 1 ctr 1", "2 DROP")
			if len(at) == 2 && at[1].Sub(at[0]) >= time.Millisecond {
				t.Errorf("DROP %v after PADDING_NEGOTIATE", at[1].Sub(at[0]))
			}
			w.say(startCmd, yes, padding.Rend, 1)
			w.drop(1, 1)
			checkWorks(t, w.world, c)
			if _, written := w.registry.Cells(); written.Drop != 1 {
				t.Errorf("%d cells of padding counted", written.Drop)
			}
		})
	}
}

// When no machine is asked for.
func TestPaddingNotAsked(t *testing.T) {
	for name, change := range map[string]func(w *paddedWorld){
		"relay without machines": func(w *paddedWorld) { w.pads = false },
		"disabled":               func(w *paddedWorld) { w.account.SetParams(padding.Params{Disabled: true}) },
		"reduced":                func(w *paddedWorld) { w.account.SetParams(padding.Params{Reduced: true}) },
	} {
		bubble(t, name, func(t *testing.T) {
			w := newPaddedWorld(t)
			change(w)
			c := w.buildPadded()
			c.PadRendezvous(t.Context())
			if c.StartPadding(padding.Intro) {
				t.Error("asked")
			}
			w.wantHeard()
			if !c.Finish() {
				t.Error("not closed")
			}
			if c.StartPadding(padding.Intro) {
				t.Error("asked on a closed circuit")
			}
		})
	}
	bubble(t, "refused once", func(t *testing.T) {
		w := newPaddedWorld(t)
		c := w.buildPadded()
		c.StartPadding(padding.Intro)
		w.say(startCmd, no, padding.Intro, 1)
		synctest.Wait()
		c.PadRendezvous(t.Context())
		w.wantHeard("2 command 2 machine 0 ctr 1")
		if !c.Finish() {
			t.Error("not closed")
		}
	})
	bubble(t, "nobody wants padding", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{})
		c := w.build(3)
		c.PadRendezvous(t.Context())
	})
	// The answer to CREATE2 and the rest is not counted: the bound came later.
	bubble(t, "a bound on the share", func(t *testing.T) {
		w := newPaddedWorld(t)
		w.account.SetParams(padding.Params{Percent: 50})
		c := w.buildPadded()
		for range 10 {
			c.PadRendezvous(t.Context())
			c.StopPadding()
		}
		w.account.SetParams(padding.Params{Percent: 1})
		c.PadRendezvous(t.Context())
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		drops := 0
		for _, s := range w.heard {
			if s == "2 DROP" {
				drops++
			}
		}
		if drops != 10 || w.heard[len(w.heard)-1] != "2 command 2 machine 1 ctr 11" {
			t.Errorf("%d cells of padding, %q", drops, w.heard)
		}
	})
}

// What a relay may not say of padding. The circuit ends for it: what nobody misses is good for signals alone.
func TestHostilePadding(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(w *paddedWorld, c *circuit.Circuit)
		want string
	}{
		{"DROP after the end", func(w *paddedWorld, _ *circuit.Circuit) {
			w.say(stopCmd, yes, padding.Intro, 1)
			w.drop(1, 1)
		}, "DROP from hop 2"},
		{"DROP after a refusal", func(w *paddedWorld, _ *circuit.Circuit) {
			w.say(startCmd, no, padding.Intro, 1)
			w.drop(1, 1)
		}, "DROP from hop 2"},
		{"DROP after our STOP was answered", func(w *paddedWorld, c *circuit.Circuit) {
			c.StopPadding()
			w.say(stopCmd, yes, padding.Intro, 1)
			w.drop(1, 1)
		}, "DROP from hop 2"},
		{"DROP of another relay", func(w *paddedWorld, _ *circuit.Circuit) { w.drop(0, 1) }, "DROP from hop 1"},
		{"NEGOTIATED of the first relay", func(w *paddedWorld, _ *circuit.Circuit) {
			w.sayFrom(0, startCmd, yes, padding.Intro, 1)
		}, "PADDING_NEGOTIATED for stream 0 from hop 1"},
		{"NEGOTIATED of the last relay", func(w *paddedWorld, _ *circuit.Circuit) {
			w.sayFrom(2, stopCmd, yes, padding.Intro, 1)
		}, "PADDING_NEGOTIATED for stream 0 from hop 3"},
		{"NEGOTIATED of version 1", func(w *paddedWorld, _ *circuit.Circuit) {
			w.peer().Send(1, msg(relaymsg.CmdPaddingNegotiated, 0, 1, 2, 1, 0, 0, 0, 0, 1))
		}, "version"},
		{"NEGOTIATED on a circuit that is finished", func(w *paddedWorld, c *circuit.Circuit) {
			c.Finish()
			w.sayFrom(2, stopCmd, yes, padding.Intro, 1)
		}, "from hop 3"},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			w := newPaddedWorld(t)
			c := w.buildPadded()
			c.StartPadding(padding.Intro)
			tt.do(w, c)
			synctest.Wait()
			if err := c.Err(); !isProtocolError(err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the circuit ended with %v, want %q (%s)", err, tt.want, paddingSpec)
			}
		})
	}
}
