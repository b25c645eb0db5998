package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/padding"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

const paddingSpec = "https://spec.torproject.org/padding-spec/circuit-level-padding.html"

// ask sends PADDING_NEGOTIATE.
func (c *raw) ask(command uint8, machine padding.Machine, ctr uint32) {
	c.t.Helper()
	body, err := relaymsg.PaddingNegotiate{Command: command, MachineType: uint8(machine), MachineCtr: ctr}.AppendTo(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.say(relaymsg.CmdPaddingNegotiate, body)
}

// padded are the answers and cells of padding in what has come, in short: "start ok 0 1", "DROP".
func (c *raw) padded(msgs []relaymsg.Msg) (list []string) {
	c.t.Helper()
	for _, m := range msgs {
		if m.Cmd != relaymsg.CmdPaddingNegotiated {
			list = append(list, m.Cmd.String())
			continue
		}
		n, err := relaymsg.ParsePaddingNegotiated(m.Body)
		if err != nil {
			c.t.Error(err)
		}
		command := map[uint8]string{relaymsg.PaddingStart: "start", relaymsg.PaddingStop: "stop"}[n.Command]
		answer := map[uint8]string{relaymsg.PaddingOK: "ok", relaymsg.PaddingErr: "err"}[n.Response]
		list = append(list, fmt.Sprint(command, " ", answer, " ", n.MachineType, " ", n.MachineCtr))
	}
	return list
}

// listen returns what comes in the given time, and when each came after the begin, to a tenth of a millisecond.
func (c *raw) listen(d time.Duration) (list []string, at []time.Duration) {
	c.t.Helper()
	begin := time.Now()
	for {
		msgs, destroyed, reason := c.take()
		for _, s := range c.padded(msgs) {
			list, at = append(list, s), append(at, time.Since(begin))
		}
		if destroyed {
			c.t.Errorf("%s: destroyed: %v", c.name, reason)
		}
		if time.Since(begin) >= d {
			return list, at
		}
		time.Sleep(100 * time.Microsecond)
	}
}

const (
	startCmd = relaymsg.PaddingStart
	stopCmd  = relaymsg.PaddingStop
)

// The machine of an introduction answers, sends its cells one after the other as a page would come, and tells the client that it
// is done; then there is room for another.
func TestIntroPadding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		c := b.mallory("198.51.100.1", nil).circuit()
		counts := map[int]int{}
		for ctr := uint32(1); ctr <= 60; ctr++ {
			c.ask(startCmd, padding.Intro, ctr)
			list, at := c.listen(100 * time.Millisecond)
			drops := len(list) - 2
			if drops < 7 || drops > 9 || list[0] != fmt.Sprint("start ok 0 ", ctr) || list[drops+1] != fmt.Sprint("stop ok 0 ", ctr) {
				t.Fatalf("got %v (%s)", list, paddingSpec)
			}
			counts[drops]++
			for i, d := range at[1 : drops+1] {
				if gap := d - at[i]; list[i+1] != "DROP" || gap < 900*time.Microsecond || gap > 10*time.Millisecond+100*time.Microsecond {
					t.Errorf("%s after %v", list[i+1], gap)
				}
			}
			if at[drops+1] != at[drops] {
				t.Errorf("STOP comes %v after the last cell", at[drops+1]-at[drops])
			}
		}
		if len(counts) != 3 {
			t.Errorf("numbers of cells: %v", counts)
		}
		_, written := b.server.links.Cells()
		if want := uint64(7*counts[7] + 8*counts[8] + 9*counts[9]); written.Drop != want {
			t.Errorf("%d cells of padding are counted, want %d", written.Drop, want)
		}
		b.wantHonest("192.0.2.2")
	})
}

// The machine of a rendezvous sends one cell, and stays until the client stops it or the circuit ends.
func TestRendPadding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		c := b.mallory("198.51.100.1", nil).circuit()
		for ctr := uint32(1); ctr <= 20; ctr++ {
			c.ask(startCmd, padding.Rend, ctr)
			list, at := c.listen(50 * time.Millisecond)
			if want := []string{fmt.Sprint("start ok 1 ", ctr), "DROP"}; !slices.Equal(list, want) || at[1]-at[0] > 1100*time.Microsecond {
				t.Fatalf("got %v at %v, want %v (%s)", list, at, want, paddingSpec)
			}
			c.ask(stopCmd, padding.Rend, ctr)
			if list, _ := c.listen(time.Millisecond); !slices.Equal(list, []string{fmt.Sprint("stop ok 1 ", ctr)}) {
				t.Fatalf("got %v", list)
			}
		}
	})
}

// A client's other cells, and what goes to it, are not disturbed; a cell that goes to it puts padding off.
func TestPaddingAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		c := b.mallory("198.51.100.1", nil).circuit()
		c.ask(startCmd, padding.Intro, 1)
		var list []string
		for range 100 { // each refused stream is a cell to the client
			c.say(relaymsg.CmdDrop, nil)
			c.relay(relaymsg.CmdBegin, 1, []byte("example.com:80\x00\x00\x00\x00\x00"))
			c.signal()
			l, _ := c.listen(900 * time.Microsecond)
			list = append(list, l...)
		}
		if slices.Contains(list, "DROP") {
			t.Errorf("padding between cells that come faster: %v", list)
		}
		rest, _ := c.listen(100 * time.Millisecond)
		if n := len(rest); n < 8 || rest[n-1] != "stop ok 0 1" {
			t.Errorf("after them came %v", rest)
		}
	})
}

// The end of a circuit ends its padding, whoever ends it.
func TestPaddingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		m := b.mallory("198.51.100.1", nil)
		for name, end := range map[string]func(c *raw){
			"DESTROY": func(c *raw) { c.send(c.id, cell.CmdDestroy, []byte{0}); c.signal() },
			"error":   func(c *raw) { c.say(relaymsg.CmdExtended2, nil) },
		} {
			c := m.circuit()
			c.ask(startCmd, padding.Intro, 1)
			end(c)
			msgs, _, _ := c.take()
			if list := c.padded(msgs); len(list) > 1 {
				t.Errorf("%s: got %v", name, list)
			}
			time.Sleep(time.Second)
			if late, _, _ := c.take(); len(late) != 0 {
				t.Errorf("%s: %d cells on a circuit that is over", name, len(late))
			}
		}
		b.wantNoCircuits()
	})
}

// Padding is not added to what waits already: neither to more cells than the consensus says, nor to a circuit that is blocked.
func TestPaddingBehindOthers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		queued int
		cells  int
		pads   bool
	}{
		{"few wait", 1000, 20, true},
		{"many wait", 1000, 2000, false},
		{"blocked", 1 << 20, 2000, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, nil)
			b.server.relay.Padder().SetParams(padding.Params{Queued: tt.queued})
			client := b.mallory("198.51.100.1", nil)
			c, s := client.circuit(), b.mallory("198.51.100.2", nil).circuit()
			c.name = tt.name
			c.wait()
			s.meet(c)
			c.meetAt(s)
			c.ask(startCmd, padding.Intro, 1)
			synctest.Wait()
			b.net.Cut(b.host, client.host)
			for range tt.cells {
				s.queueTo(1, cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: 1, Body: make([]byte, relaymsg.MaxBody)})
			}
			s.signal()
			time.Sleep(time.Second)
			b.net.Heal(b.host, client.host)
			list, _ := c.listen(10 * time.Millisecond)
			n := map[string]int{}
			for _, what := range list {
				n[what]++
			}
			if n["DATA"] != tt.cells || n["stop ok 0 1"] != 1 || n["DROP"] > 0 != tt.pads {
				t.Errorf("%s: got %v", tt.name, n)
			}
		})
	}
}

// What the consensus can say of it.
func TestPaddingParams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		c := b.mallory("198.51.100.1", nil).circuit()
		for i, tt := range []struct {
			name string
			p    padding.Params
			want string
		}{
			{"nobody pads", padding.Params{Disabled: true, Queued: 1000}, "start ok 0 1,stop ok 0 1"},
			// The answer is another cell, and counts.
			{"a share of one in two, and none free", padding.Params{Percent: 50, Queued: 1000}, "start ok 0 2,DROP,DROP,stop ok 0 2"},
			{"three free, then nearly none", padding.Params{Percent: 1, Free: 6, Queued: 1000}, "start ok 0 3,DROP,DROP,DROP,DROP,stop ok 0 3"},
		} {
			b.server.relay.Padder().SetParams(tt.p)
			c.ask(startCmd, padding.Intro, uint32(i+1))
			if list, _ := c.listen(100 * time.Millisecond); strings.Join(list, ",") != tt.want {
				t.Errorf("%s: got %v, want %s", tt.name, list, tt.want)
			}
		}
	})
}

// TestHostilePadding sends PADDING_NEGOTIATE as no client does. No circuit ends for it, as in C tor, and nobody gets more than
// one answer to a cell, or two machines.
func TestHostilePadding(t *testing.T) {
	say := func(body ...byte) func(*raw) {
		return func(c *raw) { c.say(relaymsg.CmdPaddingNegotiate, body) }
	}
	start := func(m padding.Machine, ctr uint32) func(*raw) {
		return func(c *raw) { c.ask(startCmd, m, ctr) }
	}
	stop := func(m padding.Machine, ctr uint32) func(*raw) {
		return func(c *raw) { c.ask(stopCmd, m, ctr) }
	}
	for _, tt := range []struct {
		name string
		do   []func(*raw)
		want string // besides DROP
	}{
		{"empty", []func(*raw){say()}, ""},
		{"cut off", []func(*raw){say(0, 2, 0, 0, 0, 0, 0)}, ""},
		{"of version 1", []func(*raw){say(1, 2, 0, 0, 0, 0, 0, 1)}, ""},
		{"of command 0", []func(*raw){say(0, 0, 0, 0, 0, 0, 0, 1)}, ""},
		{"of command 3", []func(*raw){say(0, 3, 0, 0, 0, 0, 0, 1)}, ""},
		{"with an echo of 2", []func(*raw){say(0, 2, 0, 2, 0, 0, 0, 1)}, ""},
		{"unknown machine", []func(*raw){start(2, 1)}, "start err 2 1"},
		{"the last machine", []func(*raw){start(255, 1)}, "start err 255 1"},
		{"start twice", []func(*raw){start(0, 1), start(0, 2)}, "start ok 0 1,start err 0 2,stop ok 0 1"},
		{"both machines", []func(*raw){start(0, 1), start(1, 2)}, "start ok 0 1,start err 1 2,stop ok 0 1"},
		{"a count of its own", []func(*raw){start(1, 77), stop(1, 77), stop(1, 1)}, "start ok 1 77,stop ok 1 1"},
		{"start without a count", []func(*raw){start(1, 0), stop(1, 0)}, "start ok 1 0,stop ok 1 0"},
		{"stop what is not there", []func(*raw){stop(0, 1), stop(1, 0), stop(9, 9)}, ""},
		{"stop with another count", []func(*raw){start(1, 1), stop(1, 2), stop(1, 1<<32-1)}, "start ok 1 1"},
		{"stop another machine", []func(*raw){start(1, 1), stop(0, 1)}, "start ok 1 1"},
		{"stop twice", []func(*raw){start(0, 1), stop(0, 1), stop(0, 1)}, "start ok 0 1,stop ok 0 1"},
		{"an old stop for a new machine", []func(*raw){start(0, 1), stop(0, 1), start(0, 2), stop(0, 1)}, "start ok 0 1,stop ok 0 1,start ok 0 2,stop ok 0 2"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, nil)
			c := b.mallory("198.51.100.1", nil).circuit()
			c.name = tt.name
			for _, do := range tt.do {
				do(c)
			}
			list, _ := c.listen(100 * time.Millisecond)
			drops := len(list)
			list = slices.DeleteFunc(list, func(s string) bool { return s == "DROP" })
			if drops -= len(list); drops > 9 || strings.Join(list, ",") != tt.want {
				t.Errorf("%s: %d cells of padding and %v, want %s (%s)", tt.name, drops, list, tt.want, paddingSpec)
			}
			b.wantHonest("192.0.2.2")
		})
	}
}

// A client that starts and stops machines without end gets an answer to each, and hardly any padding.
func TestPaddingFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		c := b.mallory("198.51.100.1", nil).circuit()
		const rounds = 3000
		answers, drops := 0, 0
		for i := uint32(1); i <= rounds; i++ {
			c.ask(startCmd, padding.Machine(i%2), i)
			c.ask(stopCmd, padding.Machine(i%2), i)
			msgs, _, _ := c.take()
			for _, s := range c.padded(msgs) {
				if s == "DROP" {
					drops++
				} else {
					answers++
				}
			}
		}
		if answers != 2*rounds || drops > rounds {
			t.Errorf("%d answers and %d cells of padding to %d cells", answers, drops, 2*rounds)
		}
		time.Sleep(time.Second)
		if msgs, _, _ := c.take(); len(msgs) != 0 {
			t.Errorf("and %d cells after it", len(msgs))
		}
		b.wantHonest("192.0.2.2")
	})
}
