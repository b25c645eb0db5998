package circmgr

import (
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// dead lets extensions to some relays fail.
type dead struct {
	mu     sync.Mutex // guards the fields below
	relays map[[20]byte]bool
	hop    int // beyond which they fail
	failed int
}

func (d *dead) message(c *fakepeer.Circuit, hop int, m relaymsg.Msg) bool {
	if m.Cmd != relaymsg.CmdExtend2 {
		return false
	}
	e, err := relaymsg.ParseExtend2(m.Body)
	if err != nil {
		return false
	}
	set, err := linkspec.NewSet(e.Specs)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || !d.relays[set.RSA] || hop != d.hop {
		return false
	}
	d.failed++
	c.Destroy(cell.DestroyConnectFailed)
	return true
}

// When second hops have gone, the others of the few that are kept do their work at once, and whoever is at the end is not blamed.
func TestInsideDeadSecondHops(t *testing.T) {
	d := &dead{relays: map[[20]byte]bool{}}
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Message: d.message}}}, func(b *bed) {
		seconds := map[int]bool{}
		for range 40 {
			in, err := b.m.Inside(b.Context(), InsideNeed{})
			if err != nil {
				b.Fatal(err)
			}
			seconds[pathOf(in.path)[1]] = true
			in.Circ.Close()
		}
		d.mu.Lock()
		for i := range seconds {
			if len(d.relays) < len(seconds)-1 {
				d.relays[ids[i].RSA()] = true
			}
		}
		gone := len(d.relays)
		d.mu.Unlock()
		lost := 0
		for range 20 {
			in, err := b.m.Inside(b.Context(), InsideNeed{})
			if err != nil { // the one that is left was chosen as third hop
				lost++
				continue
			}
			if p := pathOf(in.path); !seconds[p[1]] {
				b.Errorf("path %v: another second hop", p)
			}
			in.Circ.Close()
		}
		if lost > 5 || d.failed > gone+5*insideTries {
			b.Errorf("%d of 20 circuits are lost, %d attempts have failed", lost, d.failed)
		}
		if failed, _ := b.guards.counts(); failed != 0 {
			b.Error("the guard is blamed")
		}
		b.wait(downMemory)
		d.mu.Lock()
		clear(d.relays)
		d.mu.Unlock()
		again := map[int]bool{}
		for range 40 {
			in, err := b.m.Inside(b.Context(), InsideNeed{})
			if err != nil {
				b.Fatal(err)
			}
			again[pathOf(in.path)[1]] = true
			in.Circ.Close()
		}
		if len(again) != len(seconds) {
			b.Errorf("second hops %v, later %v", seconds, again)
		}
	})
}

// An end that cannot be reached is told of at once: other paths would not help.
func TestInsideDeadEnd(t *testing.T) {
	d := &dead{relays: map[[20]byte]bool{ids[3].RSA(): true}, hop: 2}
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Message: d.message}}}, func(b *bed) {
		end := hop(b.dir.View().ByRSA(ids[3].RSA()))
		if _, err := b.m.Inside(b.Context(), InsideNeed{End: &end}); err == nil || d.failed != 1 {
			b.Errorf("%v after %d attempts", err, d.failed)
		}
	})
}

// A guard that cannot be used is no reason to try others at once: the network may be away.
func TestInsideDeadGuard(t *testing.T) {
	cut := fakepeer.Hooks{Handshake: func([]fakepeer.Step) []fakepeer.Step { return []fakepeer.Step{{Raw: []byte("no\r\n"), Cut: true}} }}
	run(t, setup{peer: fakepeer.Config{Hooks: cut}}, func(b *bed) {
		if _, err := b.m.Inside(b.Context(), InsideNeed{}); err == nil {
			b.Error("a circuit")
		}
		if failed, succeeded := b.guards.counts(); failed != 1 || succeeded > 0 {
			b.Errorf("failed %d times, succeeded %d times", failed, succeeded)
		}
	})
}
