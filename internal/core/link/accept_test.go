package link

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Keys are made before any bubble begins: they take time.
var (
	ids = fakepeer.Identities(3)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// credentials makes those of relay i.
func credentials(i int) *Credentials { return (*Credentials)(ids[i].Credentials()) }

// A node is one end of a link.
type node struct {
	*Registry
	host     *memnet.Host
	addr     netip.AddrPort
	accepted chan error // what Accept returned
	cells    chan collected
}

type pass struct{ cells chan collected }

func (p pass) Batch(b *Batch) {
	for _, c := range b.Cells {
		p.cells <- collected{c.Circ, c.Cmd, *c.Body}
	}
}
func (pass) Closed(error) {}

// newNode makes a relay, or for creds nil a client. change may change the registry's configuration.
func newNode(t testing.TB, n *memnet.Net, name, addr string, creds *Credentials, change ...func(*Config)) *node {
	ap := netip.MustParseAddrPort(addr)
	d := &node{host: n.Host(name, ap.Addr()), addr: ap, accepted: make(chan error, 100), cells: make(chan collected, 1000)}
	cfg := Config{
		Env:        env.Env{Net: d.host, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		NewHandler: func(*Link) Handler { return pass{d.cells} },
	}
	if creds != nil {
		cfg.Credentials = func() *Credentials { return creds }
		cfg.OwnAddrs = func() []netip.Addr { return []netip.Addr{ap.Addr()} }
	}
	for _, f := range change {
		f(&cfg)
	}
	d.Registry = NewRegistry(cfg)
	t.Cleanup(d.Close)
	if creds == nil {
		return d
	}
	l, err := d.host.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { d.accepted <- d.Accept(c) }()
		}
	}()
	return d
}

func (d *node) target(i int) Target {
	return Target{Addrs: []netip.AddrPort{d.addr}, RSA: ids[i].RSA(), HasRSA: true, Ed: ids[i].Ed(), HasEd: true}
}

// only returns the one open link of a node.
func (d *node) only(t testing.TB) *Link {
	t.Helper()
	synctest.Wait()
	links := d.Links()
	if len(links) != 1 {
		t.Fatalf("%d links, want 1", len(links))
	}
	return links[0]
}

// A client connects to a relay: the relay proves who it is, the client nothing.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
func TestAcceptClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
		client := newNode(t, n, "client", "192.0.2.9:1", nil)
		l, err := client.Get(t.Context(), relay.target(0))
		if err != nil {
			t.Fatal(err)
		}
		if !l.Peer().Relay || l.Peer().RSA != ids[0].RSA() || l.SeenFrom() != client.addr.Addr() || !l.Initiated() {
			t.Errorf("peer %+v, seen from %v", l.Peer(), l.SeenFrom())
		}
		back := relay.only(t)
		if p := back.Peer(); p.Relay || p.HasEd || p.RSA != [20]byte{} || p.Addr.Addr() != client.addr.Addr() || back.Initiated() {
			t.Errorf("the relay sees %+v", p)
		}
		if back.Proto() != 5 || back.SeenFrom() != relay.addr.Addr() || back.ClockSkew() != 0 {
			t.Errorf("link protocol %d, seen as %v, skew %v", back.Proto(), back.SeenFrom(), back.ClockSkew())
		}
		l.Out().AppendCell(1<<31|5, cell.CmdCreate2, []byte{1})
		back.Out().AppendCell(1<<31|5, cell.CmdCreated2, []byte{2})
		if c := <-relay.cells; c.circ != 1<<31|5 || c.cmd != cell.CmdCreate2 || c.body[0] != 1 {
			t.Errorf("the relay got %v of %x", c.cmd, c.circ)
		}
		if c := <-client.cells; c.cmd != cell.CmdCreated2 || c.body[0] != 2 {
			t.Errorf("the client got %v", c.cmd)
		}
		// A client is nobody that a circuit could be extended to.
		if _, err := relay.Get(t.Context(), Target{Addrs: []netip.AddrPort{back.Peer().Addr}, Ed: ids[1].Ed(), HasEd: true}); err == nil {
			t.Error("a circuit could be extended to a client")
		}
		l.Close(ErrClosed)
		if err := <-relay.accepted; err != nil {
			t.Errorf("Accept: %v", err)
		}
	})
}

// Two relays prove to each other who they are, and one link is for circuits of both.
func TestAcceptRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		a := newNode(t, n, "a", "192.0.2.1:9001", credentials(0))
		b := newNode(t, n, "b", "192.0.2.2:9001", credentials(1))
		l, err := a.Get(t.Context(), b.target(1))
		if err != nil {
			t.Fatal(err)
		}
		back := b.only(t)
		if p := back.Peer(); !p.Relay || p.RSA != ids[0].RSA() || !p.HasEd || p.Ed != ids[0].Ed() {
			t.Errorf("b sees %+v", p)
		}
		again, err := b.Get(t.Context(), a.target(0))
		if err != nil || again != back {
			t.Errorf("b made another link to a (%v)", err)
		}
		if l.Err() != nil || back.Err() != nil {
			t.Error(l.Err(), back.Err())
		}
	})
}

// A relay that comes from an address that is not its own may be somebody in the middle: circuits to it get a link to its
// own address.
//
// https://spec.torproject.org/tor-spec/creating-circuits.html#canonical-connections
func TestAcceptNotCanonical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		a := newNode(t, n, "a", "192.0.2.1:9001", credentials(0))
		b := newNode(t, n, "b", "192.0.2.2:9001", credentials(1))
		a.cfg.OwnAddrs = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.77")} }
		if _, err := a.Get(t.Context(), b.target(1)); err != nil {
			t.Fatal(err)
		}
		back := b.only(t)
		elsewhere := a.target(0)
		elsewhere.Addrs = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.77:9001")}
		if back.serves(&elsewhere) {
			t.Error("the link serves a relay at another address")
		}
		here := a.target(0)
		if !back.serves(&here) {
			t.Error("the link does not serve the relay at its address")
		}
	})
}

// What an initiator may not do. Each gets an end to its connection, and no link.
func TestHostileInitiator(t *testing.T) {
	versions := func(h *initiator) error { return runSteps(h.sendVersions, h.readVersions) }
	send := func(h *initiator, cmd cell.Command, body []byte) error {
		b, err := h.append(nil, h.framing, cmd, body)
		if err != nil {
			return err
		}
		return h.write(b)
	}
	// proof does all up to AUTHENTICATE, which change has changed, and then NETINFO.
	proof := func(h *initiator, change func(b []byte)) error {
		if err := runSteps(h.sendVersions, h.readVersions, h.readCerts, h.readAuthChallenge); err != nil {
			return err
		}
		b, err := h.proof()
		if err != nil {
			return err
		}
		change(b)
		if err := h.write(b); err != nil {
			return err
		}
		return send(h, cell.CmdNetinfo, make([]byte, 7))
	}
	last := func(n int) func([]byte) { return func(b []byte) { b[len(b)-n] ^= 1 } }
	for _, tt := range []struct {
		name string
		do   func(h *initiator) error
		want string // in the error of Accept
	}{
		{"nothing", func(*initiator) error { return nil }, "EOF"},
		{"NETINFO first", func(h *initiator) error { return send(h, cell.CmdNetinfo, nil) }, "not allowed before VERSIONS"},
		{"no common version", func(h *initiator) error {
			return h.write([]byte{0, 0, byte(cell.CmdVersions), 0, 4, 0, 1, 0, 2})
		}, "no common link protocol"},
		{"VERSIONS of an odd length", func(h *initiator) error {
			return h.write([]byte{0, 0, byte(cell.CmdVersions), 0, 3, 0, 5, 0})
		}, "VERSIONS"},
		{"RELAY before NETINFO", func(h *initiator) error { versions(h); return send(h, cell.CmdRelay, nil) }, "RELAY when NETINFO was due"},
		{"CREATE_FAST before NETINFO", func(h *initiator) error { versions(h); return send(h, cell.CmdCreateFast, nil) }, "CREATE_FAST when"},
		{"AUTHENTICATE without CERTS", func(h *initiator) error { versions(h); return send(h, cell.CmdAuthenticate, make([]byte, 400)) }, "AUTHENTICATE when"},
		{"AUTH_CHALLENGE to a responder", func(h *initiator) error { versions(h); return send(h, cell.CmdAuthChallenge, make([]byte, 36)) }, "AUTH_CHALLENGE when"},
		{"empty CERTS", func(h *initiator) error { versions(h); return send(h, cell.CmdCerts, []byte{0}) }, "CERTS"},
		{"garbled CERTS", func(h *initiator) error { versions(h); return send(h, cell.CmdCerts, []byte{3, 4, 0, 9}) }, "CERTS"},
		{"CERTS of a responder", func(h *initiator) error {
			versions(h)
			body, err := certsBody(h.self.Responder)
			if err != nil {
				return err
			}
			return send(h, cell.CmdCerts, body)
		}, "certificate of type 6"},
		{"CERTS twice", func(h *initiator) error {
			versions(h)
			body, err := certsBody(h.self.Initiator)
			if err != nil {
				return err
			}
			return errors.Join(send(h, cell.CmdCerts, body), send(h, cell.CmdCerts, body))
		}, "CERTS when NETINFO was due"},
		{"bad signature", func(h *initiator) error { return proof(h, last(1)) }, "bad signature"},
		{"other random bytes", func(h *initiator) error { return proof(h, last(ed25519.SignatureSize+1)) }, "bad signature"},
		{"other TLS secrets", func(h *initiator) error { return proof(h, last(authLen-authBoundLen+1)) }, "bound to another link"},
		{"other identity", func(h *initiator) error { return proof(h, last(authLen-len(authTag)-1)) }, "bound to another link"},
		{"other type", func(h *initiator) error { return proof(h, last(authLen+3)) }, "AUTHENTICATE of type 2"},
		{"cut short", func(h *initiator) error {
			if err := runSteps(h.sendVersions, h.readVersions, h.readCerts, h.readAuthChallenge); err != nil {
				return err
			}
			body, err := certsBody(h.self.Initiator)
			if err != nil {
				return err
			}
			return errors.Join(send(h, cell.CmdCerts, body), send(h, cell.CmdAuthenticate, []byte{0, 3, 0, 8, 'A', 'U', 'T', 'H', '0', '0', '0', '3'}))
		}, "AUTHENTICATE of 8 bytes"},
		{"another's certificates", func(h *initiator) error {
			other := *h.self
			other.Initiator = must(ids[2].Keys().Initiator(rand.Reader, [32]byte(other.Auth.Public().(ed25519.PublicKey)), time.Now()))
			h.self = &other
			return proof(h, func([]byte) {})
		}, "bound to another link"},
		{"more and more VPADDING", func(h *initiator) error {
			versions(h)
			for range 5 {
				if err := send(h, cell.CmdVPadding, make([]byte, cell.MaxVariableLen)); err != nil {
					return nil
				}
			}
			return nil
		}, "before the link was open"},
		{"garbled NETINFO", func(h *initiator) error { versions(h); return send(h, cell.CmdNetinfo, []byte{0, 0, 0, 0, 4, 5}) }, "NETINFO"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(memnet.Link{})
				relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
				host := n.Host("mallory", netip.MustParseAddr("192.0.2.66"))
				raw, err := host.Dial(t.Context(), "tcp", relay.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				conn, err := TLS{}.Client(t.Context(), raw)
				if err != nil {
					t.Fatal(err)
				}
				h := &initiator{shake: newShake(conn, time.Now), want: relay.target(0)}
				h.self = credentials(1)
				if err := tt.do(h); err != nil {
					t.Log(err) // the relay may have hung up already
				}
				if tt.name == "nothing" {
					conn.Close()
				}
				err = <-relay.accepted
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Accept: %v, want %q", err, tt.want)
				}
				if len(relay.Links()) != 0 {
					t.Error("there is a link")
				}
				conn.Close()
			})
		})
	}
}

// Who connects and says nothing, or does not get through TLS, is gone after a minute.
func TestSlowInitiator(t *testing.T) {
	for name, do := range map[string]func(net.Conn){
		"before TLS": func(net.Conn) {},
		"in TLS":     func(c net.Conn) { c.Write([]byte{22, 3, 1}) },
		"before VERSIONS": func(c net.Conn) {
			if _, err := (TLS{}).Client(context.Background(), c); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(memnet.Link{})
				relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
				raw, err := n.Host("mallory", netip.MustParseAddr("192.0.2.66")).Dial(t.Context(), "tcp", relay.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				do(raw)
				if err := <-relay.accepted; !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
					t.Errorf("Accept: %v after %v", err, time.Since(begin))
				}
				raw.Close()
			})
		})
	}
}

// A relay pads a client's link as the client wants it, and other relays' links not at all.
//
// https://spec.torproject.org/padding-spec/connection-level-padding.html
func TestResponderPadding(t *testing.T) {
	for _, tt := range []struct {
		name      string
		from      *Credentials
		negotiate []byte
		pads      bool
		ends      bool
	}{
		{name: "as it is", pads: true},
		{name: "stop", negotiate: []byte{0, cell.PaddingStop, 0, 0, 0, 0}},
		{name: "start", negotiate: []byte{0, cell.PaddingStart, 0, 0, 0, 0}, pads: true},
		{name: "another version", negotiate: []byte{1, cell.PaddingStop, 0, 0, 0, 0}, pads: true},
		{name: "between relays", from: new(Credentials)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(memnet.Link{})
				relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
				if tt.from != nil {
					tt.from = credentials(1)
				}
				peer := newNode(t, n, "peer", "192.0.2.9:9001", tt.from)
				relay.SetPadding(DefaultPadding)
				peer.SetPadding(DefaultPadding)
				l, err := peer.Get(t.Context(), relay.target(0))
				if err != nil {
					t.Fatal(err)
				}
				if tt.negotiate != nil {
					l.Out().AppendCell(0, cell.CmdPaddingNegotiate, tt.negotiate)
				}
				back := relay.only(t)
				back.AddUsage(UsageCircuits)
				if back.pads() != tt.pads {
					t.Errorf("pads: %v, want %v", back.pads(), tt.pads)
				}
				if back.Err() != nil {
					t.Error(back.Err())
				}
			})
		})
	}
}
