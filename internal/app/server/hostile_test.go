package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/ntor"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/role/dos"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Keys are made before any bubble begins: they take time.
var ids = fakepeer.Identities(2)

// A mallory has a link to the relay, and sends on it what no client of ours can be brought to send.
type mallory struct {
	t     testing.TB
	name  string // of what it does, for failures
	host  *memnet.Host
	link  *link.Link
	cells chan link.Cell // what has come
	deaf  atomic.Bool    // nothing that comes is kept
	next  cell.CircID
	chunk *link.Chunk // of cells that wait for signal
}

// Batch implements link.Handler.
func (m *mallory) Batch(b *link.Batch) {
	if m.deaf.Load() {
		return
	}
	for _, c := range b.Cells {
		body := *c.Body
		m.cells <- link.Cell{Circ: c.Circ, Cmd: c.Cmd, Body: &body}
	}
}

// Closed implements link.Handler.
func (m *mallory) Closed(error) {}

// mallory makes a link to the relay, as a client, or as a relay with the given identity.
func (b *bed) mallory(addr string, as *fakepeer.Identity) *mallory {
	b.t.Helper()
	ip := netip.MustParseAddr(addr)
	m := &mallory{t: b.t, host: b.net.Host(addr, ip), cells: make(chan link.Cell, 100_000)}
	cfg := link.Config{
		Env:        env.Env{Net: m.host, Now: time.Now, Log: b.log},
		NewHandler: func(*link.Link) link.Handler { return m },
	}
	if as != nil {
		creds := credentials(as)
		cfg.Credentials = func() *link.Credentials { return creds }
		cfg.OwnAddrs = func() []netip.Addr { return []netip.Addr{ip} }
	}
	links := link.NewRegistry(cfg)
	b.t.Cleanup(links.Close)
	rsa, ed := b.server.Identities()
	var err error
	m.link, err = links.Get(b.t.Context(), link.Target{Addrs: []netip.AddrPort{serverAddr}, RSA: rsa, HasRSA: true, Ed: ed, HasEd: true})
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

// credentials are what a relay needs that only makes links.
func credentials(id *fakepeer.Identity) *link.Credentials {
	c := (*link.Credentials)(id.Credentials())
	c.TLS, c.Responder = nil, nil
	return c
}

// send adds a cell to what signal sends, in one go if it fits into a chunk.
func (m *mallory) send(id cell.CircID, cmd cell.Command, body []byte) {
	if m.chunk != nil && m.chunk.Full() {
		m.signal()
	}
	if m.chunk == nil {
		m.chunk = m.link.Out().NewChunk()
	}
	slot := m.chunk.Next(id, cmd)
	clear(slot[copy(slot[:], body):])
}

func (m *mallory) signal() {
	if m.chunk != nil {
		m.link.Out().Append(m.chunk)
		m.chunk = nil
	}
}

// newID returns a circuit ID that is free.
func (m *mallory) newID() cell.CircID {
	m.next++
	return 1<<31 | m.next
}

// A raw circuit has one hop and no rules.
type raw struct {
	*mallory
	id  cell.CircID
	kh  [kdf.KHLen]byte
	out relaycrypt.Outbound
	in  relaycrypt.Inbound
	pad *mathrand.ChaCha8
}

// circuit makes a circuit by CREATE_FAST.
func (m *mallory) circuit() *raw {
	m.t.Helper()
	var x [20]byte
	rand.Read(x[:])
	return m.create(cell.CmdCreateFast, x[:], func(body []byte) (*kdf.Keys, error) {
		answer, err := cell.ParseCreatedFast(body)
		if err != nil {
			return nil, err
		}
		return kdf.FinishFast(x, answer.Y, answer.KH)
	})
}

// ntor makes a circuit by CREATE2.
func (m *mallory) ntor(hop circuit.Hop) *raw {
	m.t.Helper()
	client, data, err := ntor.ClientStart(rand.Reader, hop.RSA, hop.NTor)
	if err != nil {
		m.t.Fatal(err)
	}
	body, err := cell.Create2{Type: cell.HandshakeNTor, Data: data[:]}.AppendTo(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.create(cell.CmdCreate2, body, func(body []byte) (*kdf.Keys, error) {
		answer, err := cell.ParseCreated2(body)
		if err != nil {
			return nil, err
		}
		return client.Finish(answer.Data)
	})
}

func (m *mallory) create(cmd cell.Command, body []byte, finish func([]byte) (*kdf.Keys, error)) *raw {
	m.t.Helper()
	c := &raw{mallory: m, id: m.newID(), pad: mathrand.NewChaCha8([32]byte{})}
	m.send(c.id, cmd, body)
	m.signal()
	got := <-m.cells
	for got.Circ != c.id {
		got = <-m.cells
	}
	keys, err := finish(got.Body[:])
	if err != nil || got.Cmd == cell.CmdDestroy {
		m.t.Fatalf("answer to %v: %v, %v", cmd, got.Cmd, err)
	}
	material, kh := keys.Circuit(relaycrypt.TorOneKeyLen)
	k, err := relaycrypt.ParseTor1(material)
	if err != nil {
		m.t.Fatal(err)
	}
	c.kh = kh
	c.out.Add(k.Forward())
	c.in.Add(k.Backward())
	return c
}

// queue queues a message to the relay, in a cell of the given command.
func (c *raw) queue(cmd cell.Command, msg relaymsg.Msg) {
	c.t.Helper()
	c.queueTo(0, cmd, msg)
}

// queueTo queues a message to a hop.
func (c *raw) queueTo(hop int, cmd cell.Command, msg relaymsg.Msg) {
	c.t.Helper()
	var body [cell.BodyLen]byte
	if err := relaymsg.V0.Encode(&body, msg, c.pad); err != nil {
		c.t.Error(err)
	}
	c.out.Seal(&body, uint8(cmd), hop)
	c.send(c.id, cmd, body[:])
}

func (c *raw) relay(cmd relaymsg.Command, stream uint16, body []byte) {
	c.t.Helper()
	c.queue(cell.CmdRelay, relaymsg.Msg{Cmd: cmd, Stream: stream, Body: body})
}

// extend2 is an EXTEND2 to a relay that is not there.
func extend2(t testing.TB, n int, addr netip.AddrPort) relaymsg.Msg {
	t.Helper()
	var id [20]byte
	binary.BigEndian.PutUint32(id[:], uint32(n)+1)
	body, err := relaymsg.Extend2{
		Specs: []linkspec.Spec{linkspec.IPv4(addr), linkspec.RSA(id)},
		Type:  cell.HandshakeNTor, Data: make([]byte, 84),
	}.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return relaymsg.Msg{Cmd: relaymsg.CmdExtend2, Body: body}
}

// take returns what comes on a circuit until nothing more does: the messages, and the reason of a DESTROY if there is one.
func (c *raw) take() (msgs []relaymsg.Msg, destroyed bool, reason cell.DestroyReason) {
	c.t.Helper()
	synctest.Wait()
	for {
		select {
		case got := <-c.cells:
			switch {
			case got.Circ != c.id:
			case got.Cmd == cell.CmdDestroy:
				destroyed, reason = true, cell.DestroyReason(got.Body[0])
			case got.Cmd == cell.CmdRelay:
				if _, _, ok := c.in.Open(got.Body, uint8(got.Cmd)); !ok {
					c.t.Fatal("a cell that the relay has not sent")
				}
				m, err := relaymsg.V0.Decode(got.Body)
				if err != nil {
					c.t.Fatal(err)
				}
				msgs = append(msgs, m)
			default:
				c.t.Errorf("%v on a circuit", got.Cmd)
			}
		default:
			return msgs, destroyed, reason
		}
	}
}

// wantDestroyed checks that the circuit is over, and that the link is not.
func (c *raw) wantDestroyed(want cell.DestroyReason) {
	c.t.Helper()
	if _, destroyed, reason := c.take(); !destroyed || reason != want {
		c.t.Errorf("%s: destroyed: %v, %v; want %v", c.name, destroyed, reason, want)
	}
	if c.link.Err() != nil {
		c.t.Errorf("%s: the link ended: %v", c.name, c.link.Err())
	}
}

func (c *raw) wantAlive() {
	c.t.Helper()
	if _, destroyed, reason := c.take(); destroyed {
		c.t.Errorf("%s: destroyed: %v", c.name, reason)
	}
}

// wantNoCircuits checks that nothing is left of any circuit.
func (b *bed) wantNoCircuits() {
	b.t.Helper()
	synctest.Wait()
	for _, l := range b.server.links.Links() {
		if n := l.Circuits(); n != 0 {
			b.t.Errorf("%d circuits left on link %d", n, l.ID())
		}
	}
	b.server.ends.mu.Lock()
	defer b.server.ends.mu.Unlock()
	if n := len(b.server.ends.buckets); n != 0 {
		b.t.Errorf("the buckets of %d circuits are left", n)
	}
}

// handshakeTime is what a connection has to become a link.
const handshakeTime = time.Minute

// TestSlowPeers has connections that get no further, or only as slowly as they can. All are closed after the
// time of a handshake, and in the meantime others have no disadvantage.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
func TestSlowPeers(t *testing.T) {
	// drip sends b over and over, a byte a second, for as long as that works.
	drip := func(c net.Conn, b []byte) {
		for i := 0; ; i++ {
			if _, err := c.Write(b[i%len(b):][:1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	secure := func(c net.Conn) net.Conn {
		s, err := link.TLS{}.Client(context.Background(), c)
		if err != nil {
			panic(err)
		}
		return s
	}
	versions := []byte{0, 0, byte(cell.CmdVersions), 0, 2, 0, 5}
	for _, tt := range []struct {
		name string
		do   func(c net.Conn)
	}{
		{"silent", func(net.Conn) {}},
		{"TLS never finished", func(c net.Conn) { c.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252}) }},
		{"TLS a byte a second", func(c net.Conn) { drip(c, []byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0, 0, 0, 0, 0}) }},
		{"VERSIONS never sent", func(c net.Conn) { secure(c) }},
		{"VERSIONS cut off", func(c net.Conn) { secure(c).Write(versions[:4]) }},
		{"VERSIONS a byte a second", func(c net.Conn) {
			drip(secure(c), append([]byte{0, 0, byte(cell.CmdVersions), 1, 0}, make([]byte, 256)...))
		}},
		{"NETINFO never sent", func(c net.Conn) { secure(c).Write(versions) }},
		{"VPADDING a byte a second", func(c net.Conn) {
			s := secure(c)
			s.Write(versions)
			drip(s, []byte{0, 0, 0, 0, byte(cell.CmdVPadding), 0, 1, 0})
		}},
		{"NETINFO a byte a second", func(c net.Conn) {
			s := secure(c)
			s.Write(versions)
			drip(s, make([]byte, 514))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, nil)
				host := b.net.Host("mallory", netip.MustParseAddr("198.51.100.1"))
				const n = 20
				begin := time.Now()
				for range n {
					c, err := host.Dial(t.Context(), "tcp", serverAddr.String())
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					go tt.do(c)
				}
				time.Sleep(handshakeTime / 2)
				synctest.Wait()
				if got := b.server.conns.Load(); got != n {
					t.Errorf("%d connections after %v, want %d", got, time.Since(begin), n)
				}
				b.wantHonest("192.0.2.2")
				time.Sleep(handshakeTime/2 + 2*time.Second)
				synctest.Wait()
				if got := b.server.conns.Load(); got != 1 { // the honest one's
					t.Errorf("%d connections after %v, want 1", got, time.Since(begin))
				}
			})
		})
	}
}

// TestRelayEarly counts RELAY_EARLY: eight of them may go outward on a circuit, and none comes inward.
//
// https://spec.torproject.org/tor-spec/relay-early.html
func TestRelayEarly(t *testing.T) {
	t.Run("outward", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, nil)
			c := b.mallory("198.51.100.1", nil).circuit()
			for range 8 {
				c.queue(cell.CmdRelayEarly, relaymsg.Msg{Cmd: relaymsg.CmdDrop})
			}
			c.signal()
			c.wantAlive()
			c.queue(cell.CmdRelayEarly, relaymsg.Msg{Cmd: relaymsg.CmdDrop})
			c.signal()
			c.wantDestroyed(cell.DestroyProtocol)
			b.wantNoCircuits()
			b.wantHonest("192.0.2.2")
		})
	})
	t.Run("inward", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, nil)
			peer := b.fakeRelay("192.0.2.10:9001", fakepeer.Config{Identity: ids[0]})
			c := b.circuitOver("192.0.2.3", ids[0], "192.0.2.10:9001")
			peer.Circuit().SendAs(0, relaymsg.Msg{Cmd: relaymsg.CmdDrop}, cell.CmdRelayEarly)
			<-c.Done()
			if e, ok := c.Err().(*circuit.PeerClosedError); !ok || e.Reason != cell.DestroyProtocol {
				t.Errorf("circuit ended with %v, want DESTROY %v", c.Err(), cell.DestroyProtocol)
			}
			b.wantNoCircuits()
			b.wantHonest("192.0.2.2")
		})
	})
}

// fakeRelay puts another relay into the network.
func (b *bed) fakeRelay(addr string, cfg fakepeer.Config) *fakepeer.Relay {
	b.t.Helper()
	p := fakepeer.New(b.t, cfg)
	l, err := b.net.Host(addr, netip.MustParseAddrPort(addr).Addr()).Listen(b.t.Context(), "tcp", addr)
	if err != nil {
		b.t.Fatal(err)
	}
	p.Serve(l)
	return p
}

// circuitOver makes an honest user's circuit over the relay to another one.
func (b *bed) circuitOver(user string, next *fakepeer.Identity, addr string) *circuit.Circuit {
	b.t.Helper()
	ctx := b.t.Context()
	l, err := b.user(user).link(ctx, b)
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := circuit.Create(ctx, l, b.hop(), circuit.Options{})
	if err == nil {
		err = c.Extend(ctx, circuit.Hop{
			RSA: next.RSA(), Ed: next.Ed(), HasEd: true, NTor: next.NTor(), Addrs: []netip.AddrPort{netip.MustParseAddrPort(addr)},
		})
	}
	if err != nil {
		b.t.Fatalf("honest circuit to another relay: %v", err)
	}
	return c
}

// TestDataBeyondWindows sends more DATA than the window of a stream allows, while the stream is not read: the circuit ends.
//
// https://spec.torproject.org/tor-spec/flow-control.html
func TestDataBeyondWindows(t *testing.T) {
	data := bytes.Repeat([]byte{'x'}, relaymsg.MaxBody)
	flood := func(c *raw, n int) {
		for range n {
			c.relay(relaymsg.CmdData, 1, data)
		}
		c.signal()
	}
	t.Run("directory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, func(c *Config) { c.FrontPage = make([]byte, 1<<20) })
			c := b.mallory("198.51.100.1", nil).circuit()
			c.relay(relaymsg.CmdBeginDir, 1, nil)
			c.relay(relaymsg.CmdData, 1, []byte("GET / HTTP/1.0\r\n\r\n"))
			c.signal()
			// The answer fills its own window and waits for SENDMEs. Nobody reads what we send.
			if msgs, destroyed, _ := c.take(); destroyed || len(msgs) != 1+congestion.StreamWindowStart {
				t.Fatalf("%d messages, destroyed: %v", len(msgs), destroyed)
			}
			flood(c, congestion.StreamWindowStart-1) // the request was the first
			c.wantAlive()
			flood(c, 1)
			c.wantDestroyed(cell.DestroyProtocol)
			b.wantNoCircuits()
			b.wantHonest("192.0.2.2")
		})
	})
	t.Run("exit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, exits)
			server, err := b.net.Host("server", netip.MustParseAddr("203.0.113.7")).Listen(t.Context(), "tcp", "203.0.113.7:80")
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			c := b.mallory("198.51.100.1", ids[1]).circuit()
			c.relay(relaymsg.CmdBegin, 1, []byte("203.0.113.7:80\x00"))
			c.signal()
			if msgs, _, _ := c.take(); len(msgs) != 1 || msgs[0].Cmd != relaymsg.CmdConnected {
				t.Fatalf("answer to BEGIN: %v", msgs)
			}
			flood(c, 3000) // the server's socket takes some of it, and the window the rest
			c.wantDestroyed(cell.DestroyProtocol)
			b.wantNoCircuits()
			time.Sleep(2*time.Minute + time.Second) // the server had so long to take what was sent before
			if all, _ := b.server.ends.Streams(); all != 0 {
				t.Errorf("%d streams left", all)
			}
			b.wantHonest("192.0.2.2")
		})
	})
}

// exits makes a relay an exit to everywhere, for relays that nobody knows too.
func exits(c *Config) {
	c.Exit.Policy = exitpolicy.Config{Ending: exitpolicy.EndDefault}
	c.Exit.RefuseUnknown = torrc.No
}

// TestStreamsOfClosedCircuit opens many streams at once on a circuit that the defence closes at one of the first: nothing is
// kept of those behind it.
func TestStreamsOfClosedCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(c *Config) {
			exits(c)
			s := &c.DoS.Streams
			s.Enabled, s.Rate, s.Burst, s.Defense = dos.On, 1, 2, 3
		})
		m := b.mallory("198.51.100.1", ids[1])
		for range 10 {
			c := m.circuit()
			for id := range uint16(50) {
				c.relay(relaymsg.CmdBegin, id+1, []byte("203.0.113.7:80\x00"))
			}
			c.signal()
			c.wantDestroyed(cell.DestroyResourceLimit)
			b.wantNoCircuits()
		}
		b.wantHonest("192.0.2.2")
	})
}

// TestExtendFlood extends circuits to addresses that never answer. Only some are dialled; others can extend their circuits
// all the same, also to relays that there is no link to yet.
func TestExtendFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		relay := "192.0.2.10:9001"
		b.fakeRelay(relay, fakepeer.Config{Identity: ids[0]})
		dead := netip.MustParseAddrPort("203.0.113.9:9001")
		b.net.Cut(b.host, b.net.Host("dead", dead.Addr()))
		m := b.mallory("198.51.100.1", nil)
		const n = 2000
		var circuits [n]*raw
		for i := range circuits {
			circuits[i] = m.circuit()
		}
		for i, c := range circuits {
			c.queue(cell.CmdRelayEarly, extend2(t, i, dead))
			if i%2 == 0 {
				c.send(c.id, cell.CmdDestroy, []byte{0}) // the dial goes on, and counts
			}
			m.signal()
		}
		synctest.Wait()
		refused, waiting := 0, 0
		for len(m.cells) > 0 {
			if c := <-m.cells; c.Cmd == cell.CmdDestroy && cell.DestroyReason(c.Body[0]) == cell.DestroyResourceLimit {
				refused++
			}
		}
		for _, l := range b.server.links.Links() {
			waiting += l.Circuits()
		}
		const share = 512 / 8 // of the dials, for one client's link
		if refused != n-share || waiting != share/2 {
			t.Errorf("%d circuits wait for a link, and %d of %d were refused", waiting, refused, n)
		}
		b.circuitOver("192.0.2.3", ids[0], relay).Close()
		time.Sleep(handshakeTime + time.Second)
		b.wantNoCircuits()
		b.circuitOver("192.0.2.4", ids[0], relay).Close()
		b.wantHonest("192.0.2.2")
	})
}

// TestEndInHandshake ends circuits at moments when an answer is under way.
func TestEndInHandshake(t *testing.T) {
	create2 := append([]byte{0, 2, 0, 84}, make([]byte, 84)...)
	dead := netip.MustParseAddrPort("203.0.113.9:9001")
	for _, tt := range []struct {
		name string
		do   func(m *mallory)
	}{
		{"DESTROY behind CREATE2", func(m *mallory) {
			id := m.newID()
			m.send(id, cell.CmdCreate2, create2)
			m.send(id, cell.CmdDestroy, []byte{0})
		}},
		{"RELAY behind CREATE2", func(m *mallory) {
			id := m.newID()
			m.send(id, cell.CmdCreate2, create2)
			m.send(id, cell.CmdRelay, make([]byte, cell.BodyLen))
		}},
		{"CREATE2 twice", func(m *mallory) {
			id := m.newID()
			m.send(id, cell.CmdCreate2, create2)
			m.send(id, cell.CmdCreate2, create2)
		}},
		{"DESTROY behind EXTEND2", func(m *mallory) {
			c := m.circuit()
			c.queue(cell.CmdRelayEarly, extend2(m.t, int(c.id), dead))
			c.send(c.id, cell.CmdDestroy, []byte{0})
		}},
		{"EXTEND2 twice", func(m *mallory) {
			c := m.circuit()
			c.queue(cell.CmdRelayEarly, extend2(m.t, int(c.id), dead))
			c.queue(cell.CmdRelayEarly, extend2(m.t, int(c.id), dead))
		}},
		{"TRUNCATE and DESTROY behind EXTEND2", func(m *mallory) {
			c := m.circuit()
			c.queue(cell.CmdRelayEarly, extend2(m.t, int(c.id), dead))
			c.relay(relaymsg.CmdTruncate, 0, nil)
			c.queue(cell.CmdRelayEarly, extend2(m.t, int(c.id)+1, dead))
			c.send(c.id, cell.CmdDestroy, []byte{0})
		}},
		{"BEGIN_DIR and DESTROY", func(m *mallory) {
			c := m.circuit()
			c.relay(relaymsg.CmdBeginDir, 1, nil)
			c.send(c.id, cell.CmdDestroy, []byte{0})
		}},
	} {
		for _, end := range []string{"", ", and the link ends"} {
			t.Run(tt.name+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBed(t, nil)
					b.net.Cut(b.host, b.net.Host("dead", dead.Addr()))
					m := b.mallory("198.51.100.1", nil)
					for range 50 {
						tt.do(m)
						m.signal()
					}
					if end != "" {
						m.link.Close(io.EOF)
					}
					time.Sleep(handshakeTime + time.Second)
					b.wantNoCircuits()
					if err := m.link.Err(); end == "" && err != nil {
						t.Errorf("the link ended: %v", err)
					}
					b.wantHonest("192.0.2.2")
				})
			})
		}
	}
}

// TestHostileNext has the next relay on a circuit say what it must not. The circuit ends, and both sides hear of it.
func TestHostileNext(t *testing.T) {
	for _, tt := range []struct {
		name string
		cmd  cell.Command
		body []byte
		late bool // after the circuit was extended, not instead of CREATED2
	}{
		{"CREATED2 that no EXTENDED2 can hold", cell.CmdCreated2, []byte{1, 251}, false}, // TROVE-2026-003: 507 bytes
		{"CREATED2 one byte too long for EXTENDED2", cell.CmdCreated2, []byte{1, 241}, false},
		{"CREATED2 longer than its cell", cell.CmdCreated2, []byte{1, 252}, false},
		{"CREATED_FAST", cell.CmdCreatedFast, nil, false},
		{"CREATED", cell.CmdCreated, nil, false},
		{"RELAY_EARLY", cell.CmdRelayEarly, nil, false},
		{"CREATED2 again", cell.CmdCreated2, []byte{0, 64}, true},
		{"RELAY_EARLY later", cell.CmdRelayEarly, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, nil)
				relay := "192.0.2.10:9001"
				send := func(c *fakepeer.Conn, id cell.CircID) {
					c.Send(cell.Cell{Circ: id, Cmd: tt.cmd, Body: append(bytes.Clone(tt.body), make([]byte, cell.BodyLen-len(tt.body))...)})
				}
				peer := b.fakeRelay(relay, fakepeer.Config{Identity: ids[0], Hooks: fakepeer.Hooks{Cell: func(c *fakepeer.Conn, in cell.Cell) bool {
					switch {
					case tt.late:
						return false
					case in.Cmd == cell.CmdCreate2:
						send(c, in.Circ)
					}
					return true
				}}})
				var err error
				if tt.late {
					c := b.circuitOver("192.0.2.3", ids[0], relay)
					send(peer.Circuit().Conn(), peer.Circuit().ID())
					<-c.Done()
					err = c.Err()
				} else {
					l, e := b.user("192.0.2.3").link(t.Context(), b)
					if e != nil {
						t.Fatal(e)
					}
					c, e := circuit.Create(t.Context(), l, b.hop(), circuit.Options{})
					if e != nil {
						t.Fatal(e)
					}
					err = c.Extend(t.Context(), circuit.Hop{RSA: ids[0].RSA(), NTor: ids[0].NTor(), Addrs: []netip.AddrPort{netip.MustParseAddrPort(relay)}})
				}
				if e, ok := err.(*circuit.PeerClosedError); !ok || e.Reason != cell.DestroyProtocol {
					t.Errorf("circuit ended with %v, want DESTROY %v", err, cell.DestroyProtocol)
				}
				b.wantNoCircuits()
				b.wantHonest("192.0.2.2")
			})
		})
	}
}

// TestHostileMessages sends messages to the end of a circuit that must end it.
//
// https://spec.torproject.org/tor-spec/relay-cells.html
func TestHostileMessages(t *testing.T) {
	msg := func(cmd relaymsg.Command, stream uint16, body ...byte) relaymsg.Msg {
		return relaymsg.Msg{Cmd: cmd, Stream: stream, Body: body}
	}
	rsa := make([]byte, 20)
	rsa[19] = 9
	table := []struct {
		name  string
		early bool
		msg   relaymsg.Msg
		lives bool
	}{
		{"EXTEND2 in RELAY", false, extend2(t, 1, netip.MustParseAddrPort("203.0.113.9:1")), false},
		{"EXTEND2 empty", true, msg(relaymsg.CmdExtend2, 0), false},
		{"EXTEND2 whose handshake is longer than the message", true, msg(relaymsg.CmdExtend2, 0, 0, 0, 2, 1, 255), false},
		{"EXTEND2 whose specifiers are longer than the message", true, msg(relaymsg.CmdExtend2, 0, 255, 2, 20), false},
		{"EXTEND2 to port 0", true, extend2(t, 1, netip.MustParseAddrPort("203.0.113.9:0")), false},
		{"EXTEND2 without an address", true, msg(relaymsg.CmdExtend2, 0, append(append([]byte{1, 2, 20}, rsa...), 0, 2, 0, 0)...), false},
		{"EXTENDED2", false, msg(relaymsg.CmdExtended2, 0, 0, 0), false},
		{"TRUNCATED", false, msg(relaymsg.CmdTruncated, 0), false},
		{"SENDME for nothing", false, msg(relaymsg.CmdSendme, 0), false},
		{"SENDME with a tag, for nothing", false, msg(relaymsg.CmdSendme, 0, append([]byte{1, 0, 20}, make([]byte, 20)...)...), false},
		{"XOFF of a stream that is not there", false, msg(relaymsg.CmdXoff, 7, 0), true},
		{"TRUNCATE without a reason", false, msg(relaymsg.CmdTruncate, 0), true},
		{"END without a reason", false, msg(relaymsg.CmdEnd, 7), true},
		{"DROP", true, msg(relaymsg.CmdDrop, 0), true},
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		m := b.mallory("198.51.100.1", nil)
		for _, tt := range table {
			m.name = tt.name
			c, cmd := m.circuit(), cell.CmdRelay
			if tt.early {
				cmd = cell.CmdRelayEarly
			}
			c.queue(cmd, tt.msg)
			c.signal()
			if tt.lives {
				c.wantAlive()
				c.send(c.id, cell.CmdDestroy, []byte{0})
				c.signal()
			} else {
				c.wantDestroyed(cell.DestroyProtocol)
			}
			b.wantNoCircuits()
		}
		for _, cmd := range []relaymsg.Command{relaymsg.CmdExtend, relaymsg.CmdExtended} { // TROVE-2025-016
			m.name = cmd.String()
			c := m.circuit()
			var body [cell.BodyLen]byte
			body[0] = byte(cmd) // no encoder of ours writes it
			binary.BigEndian.PutUint16(body[9:], 4)
			c.out.Seal(&body, uint8(cell.CmdRelayEarly), 0)
			c.send(c.id, cell.CmdRelayEarly, body[:])
			c.signal()
			c.wantDestroyed(cell.DestroyProtocol)
		}
		b.wantNoCircuits()
		b.wantHonest("192.0.2.2")
	})
}

// TestOldSendme answers with SENDMEs that prove nothing. Where the consensus has ended them they end the circuit, but for
// one that is made by CREATE_FAST: a client that is too old is to learn it from a directory.
//
// https://spec.torproject.org/proposals/289-authenticated-sendmes.html
func TestOldSendme(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(c *Config) { c.FrontPage = make([]byte, 1<<20) })
		m := b.mallory("198.51.100.1", nil)
		for _, tt := range []struct {
			name  string
			min   uint32
			make  func() *raw
			lives bool
		}{
			{"CREATE_FAST, allowed", 0, m.circuit, true},
			{"CREATE_FAST, not allowed", 1, m.circuit, true},
			{"CREATE2, allowed", 0, func() *raw { return m.ntor(b.hop()) }, true},
			{"CREATE2, not allowed", 1, func() *raw { return m.ntor(b.hop()) }, false},
		} {
			m.name = tt.name
			b.server.sendmeMin.Store(tt.min)
			c := tt.make()
			c.relay(relaymsg.CmdBeginDir, 1, nil)
			c.relay(relaymsg.CmdData, 1, []byte("GET / HTTP/1.0\r\n\r\n"))
			c.signal()
			c.wantAlive() // five hundred cells have come
			c.relay(relaymsg.CmdSendme, 0, nil)
			c.signal()
			if tt.lives {
				c.wantAlive()
				c.send(c.id, cell.CmdDestroy, []byte{0})
				c.signal()
			} else {
				c.wantDestroyed(cell.DestroyProtocol)
			}
			b.wantNoCircuits()
		}
	})
}
