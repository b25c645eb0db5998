package link_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// A watch notes when the relay gets padding, and what it is told about it.
type watch struct {
	mu   sync.Mutex
	pads []time.Time
	told []cell.PaddingNegotiate
}

func (w *watch) cell(_ *fakepeer.Conn, c cell.Cell) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch c.Cmd {
	case cell.CmdPadding:
		w.pads = append(w.pads, time.Now())
	case cell.CmdPaddingNegotiate:
		m, err := cell.ParsePaddingNegotiate(c.Body)
		if err != nil {
			panic(err)
		}
		w.told = append(w.told, m)
	}
	return false
}

func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pads)
}

// open opens a link under a policy, with a circuit so that it stays.
func (w *watch) open(t *testing.T, p link.PaddingPolicy, proto uint16) (*world, *link.Link) {
	world := newWorld(t, fakepeer.Config{
		Protos: []uint16{proto},
		Hooks:  fakepeer.Hooks{Cell: w.cell},
	}, func(c *link.Config) { c.Padding = p })
	l, _ := world.open()
	l.AddCircuits(1)
	return world, l
}

var reduced = link.PaddingPolicy{Low: 9 * time.Second, High: 14 * time.Second, Reduced: true, BeforeUsage: true}

// A silent link that is in use is padded, with pauses between the bounds.
//
// https://spec.torproject.org/padding-spec/connection-level-padding.html
func TestPadding(t *testing.T) {
	afterUsage := link.DefaultPadding
	afterUsage.BeforeUsage = false
	for _, c := range []struct {
		name   string
		policy link.PaddingPolicy
		usage  link.Usage
		proto  uint16
		pads   bool
		stop   bool
	}{
		{name: "streams", policy: link.DefaultPadding, usage: link.UsageStreams, proto: 5, pads: true},
		{name: "circuits", policy: link.DefaultPadding, usage: link.UsageCircuits, proto: 5, pads: true},
		{name: "unused", policy: link.DefaultPadding, usage: link.UsageNone, proto: 5},
		{name: "streams, only after usage", policy: afterUsage, usage: link.UsageStreams, proto: 5, pads: true},
		{name: "circuits, only after usage", policy: afterUsage, usage: link.UsageCircuits, proto: 5},
		{name: "reduced", policy: reduced, usage: link.UsageStreams, proto: 5, pads: true, stop: true},
		{name: "off", policy: link.PaddingPolicy{}, usage: link.UsageStreams, proto: 5, stop: true},
		{name: "link protocol 4", policy: link.DefaultPadding, usage: link.UsageStreams, proto: 4},
		{name: "off, link protocol 4", policy: link.PaddingPolicy{}, usage: link.UsageStreams, proto: 4},
		{name: "always the same", policy: link.PaddingPolicy{Low: time.Second, High: time.Second}, usage: link.UsageStreams, proto: 5, pads: true},
	} {
		bubble(t, c.name, func(t *testing.T) {
			var seen watch
			_, l := seen.open(t, c.policy, c.proto)
			l.AddUsage(c.usage)
			last := time.Now()
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if c.stop != (len(seen.told) == 1 && seen.told[0] == cell.PaddingNegotiate{Command: cell.PaddingStop}) {
				t.Errorf("the relay was told %+v", seen.told)
			}
			if c.pads != (len(seen.pads) > 0) {
				t.Fatalf("%d cells of padding", len(seen.pads))
			}
			for i, at := range seen.pads {
				if d := at.Sub(last); d < c.policy.Low || d > c.policy.High {
					t.Errorf("padding %d after %v", i, d)
				}
				last = at
			}
		})
	}
}

// Traffic of either direction puts padding off.
func TestPaddingOnlyInSilence(t *testing.T) {
	for _, c := range []struct {
		name string
		send func(w *world, l *link.Link)
		pads bool
	}{
		{"sent", func(_ *world, l *link.Link) { l.Out().AppendCell(0, 99, nil) }, false},
		{"received", func(w *world, _ *link.Link) { w.relay.Conns()[0].Send(cell.Cell{Circ: 1, Cmd: cell.CmdRelay}) }, false},
		{"received padding", func(w *world, _ *link.Link) { w.relay.Conns()[0].Send(cell.Cell{Cmd: cell.CmdPadding}) }, true},
	} {
		bubble(t, c.name, func(t *testing.T) {
			var seen watch
			ignore := func(conn *fakepeer.Conn, in cell.Cell) bool { return seen.cell(conn, in) || in.Cmd == 99 }
			w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Cell: ignore}}, func(c *link.Config) { c.Padding = link.DefaultPadding })
			l, _ := w.open()
			l.AddCircuits(1)
			l.AddUsage(link.UsageStreams)
			for range 600 {
				c.send(w, l)
				time.Sleep(time.Second)
			}
			synctest.Wait()
			if pads := seen.count() > 0; pads != c.pads {
				t.Errorf("%d cells of padding", seen.count())
			}
		})
	}
}

// Policy and usage may change while a link is open.
func TestPaddingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen watch
		w, l := seen.open(t, link.DefaultPadding, 5)
		grows := func(step string, want bool) {
			t.Helper()
			before := seen.count()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := seen.count() > before; got != want {
				t.Errorf("%s: padding %v, want %v", step, got, want)
			}
		}
		grows("unused", false)
		l.AddUsage(link.UsageCircuits)
		grows("circuits", true)
		w.registry.SetPadding(link.PaddingPolicy{})
		grows("off", false)
		w.registry.SetPadding(link.PaddingPolicy{Low: time.Second, High: 2 * time.Second})
		grows("only after usage", false)
		l.AddUsage(link.UsageStreams)
		l.AddUsage(link.UsageNone) // does not take it back
		grows("streams", true)
	})
}

// A link without circuits is closed after 3 to 4.5 minutes, padded or not.
func TestIdle(t *testing.T) {
	for name, p := range map[string]link.PaddingPolicy{"padded": link.DefaultPadding, "not padded": {}} {
		bubble(t, name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{}, func(c *link.Config) { c.Padding = p })
			l := w.get()
			l.AddUsage(link.UsageStreams)
			l.AddCircuits(1)
			time.Sleep(time.Hour)
			if l.Err() != nil {
				t.Fatalf("closed in spite of a circuit: %v", l.Err())
			}
			start := time.Now()
			l.AddCircuits(-1)
			<-l.Closing()
			if took := time.Since(start); took < 3*time.Minute || took > 4*time.Minute+30*time.Second {
				t.Errorf("closed after %v", took)
			}
			if err := w.handler().closedWith(t); err != link.ErrIdle {
				t.Errorf("closed with %v", err)
			}
		})
	}
	bubble(t, "never used", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l := w.get()
		<-l.Closing()
		if took := time.Since(l.Opened()); took < 3*time.Minute || took > 4*time.Minute+30*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
	bubble(t, "used now and then", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l := w.get()
		for range 20 {
			time.Sleep(179 * time.Second)
			l.AddCircuits(1)
			l.AddCircuits(-1)
		}
		if l.Err() != nil {
			t.Errorf("closed: %v", l.Err())
		}
	})
}
