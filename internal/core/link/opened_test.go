package link_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

var random = rand.Reader

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// On an open link some cells are dropped, some are an offence, and the circuits' ones pass.
//
// https://spec.torproject.org/tor-spec/cell-packet-format.html
func TestOpenLink(t *testing.T) {
	pass := cell.Cell{Circ: 5, Cmd: cell.CmdRelay, Body: []byte("the last")}
	for _, c := range []struct {
		name string
		send cell.Cell
		want string // in the error; "" if the link stays open
		pass bool   // it goes to the handler
	}{
		{name: "PADDING", send: cell.Cell{Cmd: cell.CmdPadding}},
		{name: "PADDING on a circuit", send: cell.Cell{Circ: 4, Cmd: cell.CmdPadding}},
		{name: "VPADDING", send: cell.Cell{Cmd: cell.CmdVPadding, Body: make([]byte, 1000)}},
		{name: "empty VPADDING", send: cell.Cell{Cmd: cell.CmdVPadding}},
		{name: "VPADDING as long as can be", send: cell.Cell{Cmd: cell.CmdVPadding, Body: make([]byte, cell.MaxVariableLen)}},
		{name: "VERSIONS", send: cell.Cell{Cmd: cell.CmdVersions, Body: []byte{0, 3}}},
		{name: "NETINFO", send: cell.Cell{Cmd: cell.CmdNetinfo}},
		{name: "AUTHORIZE", send: cell.Cell{Cmd: cell.CmdAuthorize, Body: make([]byte, 30)}},
		{name: "unknown", send: cell.Cell{Circ: 1, Cmd: 77}},
		{name: "unknown of variable length", send: cell.Cell{Circ: 1, Cmd: 222, Body: slices.Repeat([]byte{3}, cell.MaxVariableLen)}},

		{name: "PADDING_NEGOTIATE", send: cell.Cell{Cmd: cell.CmdPaddingNegotiate}, want: "PADDING_NEGOTIATE to a client"},
		{name: "CERTS", send: cell.Cell{Cmd: cell.CmdCerts, Body: []byte{0}}, want: "CERTS on an open link"},
		{name: "CERTS as long as can be", send: cell.Cell{Cmd: cell.CmdCerts, Body: make([]byte, cell.MaxVariableLen)}, want: "CERTS on an open link"},
		{name: "AUTH_CHALLENGE", send: cell.Cell{Cmd: cell.CmdAuthChallenge}, want: "AUTH_CHALLENGE on an open link"},
		{name: "AUTHENTICATE", send: cell.Cell{Cmd: cell.CmdAuthenticate}, want: "AUTHENTICATE on an open link"},
		{name: "RELAY on no circuit", send: cell.Cell{Cmd: cell.CmdRelay}, want: "RELAY without a circuit ID"},
		{name: "DESTROY of no circuit", send: cell.Cell{Cmd: cell.CmdDestroy}, want: "DESTROY without a circuit ID"},
		{name: "CREATE2 of no circuit", send: cell.Cell{Cmd: cell.CmdCreate2}, want: "CREATE2 without a circuit ID"},

		{name: "CREATE", send: cell.Cell{Circ: 1, Cmd: cell.CmdCreate}, pass: true},
		{name: "CREATE2", send: cell.Cell{Circ: 1, Cmd: cell.CmdCreate2}, pass: true},
		{name: "CREATED2", send: cell.Cell{Circ: 1, Cmd: cell.CmdCreated2}, pass: true},
		{name: "RELAY_EARLY", send: cell.Cell{Circ: 1, Cmd: cell.CmdRelayEarly}, pass: true},
		{name: "DESTROY", send: cell.Cell{Circ: 0xffff, Cmd: cell.CmdDestroy}, pass: true},
	} {
		for _, proto := range []uint16{3, 5} {
			bubble(t, fmt.Sprintf("%s, link %d", c.name, proto), func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{Protos: []uint16{proto}}, nil)
				l, peer := w.open()
				peer.Hold() // so that what is good before and behind an offence comes with it
				peer.Send(pass)
				peer.Send(c.send)
				peer.Send(pass)
				peer.Release()
				want := []cell.Command{cell.CmdRelay, c.send.Cmd, cell.CmdRelay}
				switch {
				case c.want != "":
					want = want[:1]
				case !c.pass:
					want = slices.Delete(want, 1, 2)
				}
				err := w.handler().closedWith(t)
				switch {
				case c.want == "" && err != nil:
					t.Errorf("link closed: %v", err)
				case c.want != "" && (!isProtocolError(err) || !strings.Contains(err.Error(), c.want)):
					t.Errorf("link closed with %v, want %q", err, c.want)
				}
				if !errors.Is(l.Err(), err) {
					t.Errorf("Err is %v, the handler got %v", l.Err(), err)
				}
				var cmds []cell.Command
				for _, g := range w.handler().got() {
					cmds = append(cmds, g.cmd)
				}
				if !slices.Equal(cmds, want) {
					t.Errorf("handler got %v, want %v", cmds, want)
				}
			})
		}
	}
}

// What came before the relay closed the connection is not lost.
func TestCellsBeforeClose(t *testing.T) {
	for _, n := range []int{1, 31, 400} {
		bubble(t, fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{}, nil)
			l, peer := w.open()
			peer.Hold()
			for range n {
				peer.Send(cell.Cell{Circ: 2, Cmd: cell.CmdRelay})
			}
			peer.SendRaw([]byte{1, 2, 3}) // a part of a cell
			peer.Close()
			if err := w.handler().closedWith(t); err == nil || !strings.Contains(err.Error(), "relay closed the connection") {
				t.Errorf("link ended with %v", err)
			}
			if got := len(w.handler().got()); got != n {
				t.Errorf("%d cells, want %d", got, n)
			}
			if len(w.registry.Links()) != 0 || l.Err() == nil {
				t.Error("the link is still there")
			}
		})
	}
}

// Any bytes at all end a link at worst, and never hang it.
func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		for range 20 {
			l := w.get()
			synctest.Wait()
			conns := w.relay.Conns()
			junk := make([]byte, 300_000)
			rand.Read(junk)
			conns[len(conns)-1].SendRaw(junk)
			conns[len(conns)-1].Close()
			synctest.Wait()
			if l.Err() == nil {
				t.Error("the link is open")
			}
		}
	})
}

// The network may die in any way.
func TestConnectionDies(t *testing.T) {
	bubble(t, "reset", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		w.open()
		w.net.Reset(w.client, w.guard)
		if err := w.handler().closedWith(t); err == nil || isProtocolError(err) {
			t.Errorf("link ended with %v", err)
		}
	})
	bubble(t, "blocked writer", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		l, _ := w.open()
		w.net.Cut(w.client, w.guard)
		for range 10_000 {
			l.Out().AppendCell(0, cell.CmdPadding, nil)
		}
		synctest.Wait()
		boom := errors.New("boom")
		l.Close(boom)
		l.Close(errors.New("too late"))
		time.Sleep(10 * time.Second) // crypto/tls wants to say good-bye for five of them
		if err := w.handler().closedWith(t); err != boom {
			t.Errorf("link ended with %v", err)
		}
		if l.Out().Len() != 0 {
			t.Errorf("%d cells wait", l.Out().Len())
		}
		w.net.Heal(w.client, w.guard)
	})
}

// A handler that panics loses its link, and nothing else.
func TestHandlerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, func(c *link.Config) {
			c.NewHandler = func(*link.Link) link.Handler { return panicky{} }
		})
		l, peer := w.open()
		peer.Send(cell.Cell{Circ: 1, Cmd: cell.CmdRelay})
		<-l.Closing()
		if err := l.Err(); err == nil || !strings.Contains(err.Error(), "panic") {
			t.Errorf("link ended with %v", err)
		}
		w.get()
	})
}

type panicky struct{}

func (panicky) Batch(*link.Batch) { panic("boom") }
func (panicky) Closed(error)      { panic("boom again") }
