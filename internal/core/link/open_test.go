package link_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Links open with each link protocol over each version of TLS, and carry cells both ways.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
func TestOpen(t *testing.T) {
	for _, proto := range []uint16{3, 4, 5} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			bubble(t, fmt.Sprintf("link %d %s", proto, tls.VersionName(version)), func(t *testing.T) {
				w := newWorld(t, fakepeer.Config{Protos: []uint16{1, 2, 3, proto, 9}, MaxTLS: version, Tickets: true}, nil)
				l, peer := w.open()
				if l.Proto() != proto || peer.Proto() != proto || peer.TLS().Version != version {
					t.Errorf("link protocol %d, the relay's %d, TLS %x", l.Proto(), peer.Proto(), peer.TLS().Version)
				}
				want := link.Peer{Relay: true, RSA: w.target.RSA, Ed: w.target.Ed, HasEd: true, Addr: relayAddr}
				if l.Peer() != want {
					t.Errorf("peer %+v, want %+v", l.Peer(), want)
				}
				if l.SeenFrom() != clientIP || l.ClockSkew() != 0 {
					t.Errorf("seen from %v with skew %v", l.SeenFrom(), l.ClockSkew())
				}
				exchange(t, w, l, peer)
			})
		}
	}
}

// exchange sends more cells than one batch holds each way, and checks that they arrive in order.
func exchange(t *testing.T, w *world, l *link.Link, peer *fakepeer.Conn) {
	const n = 500
	for i := range n {
		peer.Send(cell.Cell{Circ: 77, Cmd: cell.CmdRelay, Body: []byte{byte(i >> 8), byte(i)}})
		l.Out().AppendCell(0, cell.CmdPadding, nil)
	}
	w.relay.WaitFor("padding", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdPadding] == n })
	synctest.Wait()
	cells := w.handler().got()
	if len(cells) != n {
		t.Fatalf("got %d cells, want %d", len(cells), n)
	}
	for i, c := range cells {
		if c.circ != 77 || c.cmd != cell.CmdRelay || c.body != [cell.BodyLen]byte{byte(i >> 8), byte(i)} {
			t.Fatalf("cell %d: circuit %d, %v, body %x...", i, c.circ, c.cmd, c.body[:4])
		}
	}
}

// A relay that speaks no ed25519 can be reached by whoever does not know of such an identity.
func TestOpenRSAOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Handshake: onlyRSA}}, nil)
		w.target.HasEd = false
		if p := w.get().Peer(); p.RSA != w.target.RSA || p.HasEd {
			t.Errorf("peer %+v", p)
		}
	})
}

// A fallback directory may be known by its Ed25519 identity alone.
func TestOpenEdOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		w.target.HasRSA = false
		if p := w.get().Peer(); p.RSA != w.relay.Identity().RSA() || !p.HasEd {
			t.Errorf("peer %+v", p)
		}
	})
}

// Whatever the relay's clock says is noticed, and nothing else happens.
func TestClockSkew(t *testing.T) {
	for _, skew := range []time.Duration{-3 * time.Hour, -time.Second, 0, 26 * time.Hour} {
		bubble(t, skew.String(), func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(-skew) }
			w := newWorld(t, fakepeer.Config{Now: now}, nil)
			if got := w.get().ClockSkew(); got != skew {
				t.Errorf("skew %v, want %v", got, skew)
			}
		})
	}
}

// A timestamp that comes late says more about the network than about clocks.
func TestClockSkewOfLateNetinfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := func(s []fakepeer.Step) []fakepeer.Step {
			time.Sleep(180 * time.Second)
			return s
		}
		w := newWorld(t, fakepeer.Config{
			Now:   func() time.Time { return time.Now().Add(time.Hour) },
			Hooks: fakepeer.Hooks{Handshake: hook},
		}, func(c *link.Config) { c.Timeout = time.Hour })
		if got := w.get().ClockSkew(); got != 0 {
			t.Errorf("skew %v", got)
		}
	})
}

// The handshake in the smallest pieces there can be, with padding wherever it may come.
func TestOpenDribble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vpad := fakepeer.Step{Cell: cell.Cell{Cmd: cell.CmdVPadding, Body: make([]byte, 700)}}
		authorize := fakepeer.Step{Cell: cell.Cell{Cmd: cell.CmdAuthorize}}
		versions := fakepeer.Step{Cell: cell.Cell{Cmd: cell.CmdVersions, Body: []byte{0, 3}}}
		hook := func(s []fakepeer.Step) []fakepeer.Step {
			return []fakepeer.Step{vpad, authorize, s[0], vpad, versions, s[1], authorize, s[2], vpad, s[3]}
		}
		w := newWorld(t, fakepeer.Config{Dribble: true, Hooks: fakepeer.Hooks{Handshake: hook}}, nil)
		l, peer := w.open()
		exchange(t, w, l, peer)
	})
}

// What comes in one record with NETINFO goes to the handler.
func TestCellsBehindNetinfo(t *testing.T) {
	for _, behind := range []int{1, 7, 200} {
		bubble(t, fmt.Sprint(behind), func(t *testing.T) {
			hook := func(s []fakepeer.Step) []fakepeer.Step {
				for range behind {
					s = append(s, fakepeer.Step{Cell: cell.Cell{Circ: 9, Cmd: cell.CmdDestroy}})
				}
				return s
			}
			w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Handshake: hook}}, nil)
			l, peer := w.open()
			synctest.Wait()
			if got := len(w.handler().got()); got != behind || l.Err() != nil {
				t.Errorf("%d cells, link error %v", got, l.Err())
			}
			peer.Send(cell.Cell{Circ: 9, Cmd: cell.CmdDestroy})
			synctest.Wait()
			if got := len(w.handler().got()); got != behind+1 {
				t.Errorf("%d cells after one more", got)
			}
		})
	}
}

// The same over real sockets.
func TestOpenLoopback(t *testing.T) {
	network := netx.OS{}
	l, err := network.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relay := fakepeer.New(t, fakepeer.Config{})
	relay.Serve(l)
	r := link.NewRegistry(link.Config{
		Env:        env.Env{Net: network, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		NewHandler: func(l *link.Link) link.Handler { return &handler{link: l} },
	})
	defer r.Close()
	id := relay.Identity()
	target := link.Target{
		Addrs: []netip.AddrPort{netip.MustParseAddrPort(l.Addr().String())},
		RSA:   id.RSA(), HasRSA: true, Ed: id.Ed(), HasEd: true,
	}
	lk, err := r.Get(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	if lk.SeenFrom() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("seen from %v", lk.SeenFrom())
	}
	for range 100 {
		lk.Out().AppendCell(0, cell.CmdPadding, nil)
	}
	relay.WaitFor("padding", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdPadding] == 100 })
	// However the link was idle before, what comes is read.
	for range 3 {
		read, _ := r.Cells()
		relay.Conns()[0].Send(cell.Cell{Cmd: cell.CmdPadding})
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if now, _ := r.Cells(); now.Padding == read.Padding+1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("a cell does not arrive")
			}
		}
	}
	relay.Conns()[0].Close()
	<-lk.Closing()
	if err := lk.Err(); err == nil || err == io.EOF {
		t.Errorf("link ended with %v", err)
	}
	if lk, err = r.Get(context.Background(), target); err != nil {
		t.Fatal(err)
	}
	lk.Close(link.ErrIdle) // its reader waits for the socket
	r.Close()
}
