package fakepeer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// That an honest client passes, and that Hooks and Send do what they say, is proven by the tests of packages link and
// circuit. Here a client of few lines breaks the rules.

// judged is a testing.TB that keeps what it is told.
type judged struct {
	testing.TB
	mu   sync.Mutex
	told []string
}

func (j *judged) Errorf(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.told = append(j.told, format)
}

func (j *judged) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.told)
}

// A client speaks link protocol 5, with a circuit of one hop.
type client struct {
	t     *testing.T
	tls   *tls.Conn
	buf   []byte
	out   relaycrypt.Outbound
	in    relaycrypt.Inbound
	proto uint16
}

const circID = 1 << 31

var relayAddr = netip.MustParseAddrPort("192.0.2.2:9001")

// dial returns a client that has done TLS, and its relay.
func dial(t *testing.T, tb testing.TB, name string, cfg fakepeer.Config) (*client, *fakepeer.Relay) {
	t.Helper()
	n := memnet.New(memnet.Link{})
	alice, bob := n.Host("client", netip.MustParseAddr("192.0.2.1")), n.Host("relay", relayAddr.Addr())
	r := fakepeer.New(tb, cfg)
	l, err := bob.Listen(context.Background(), "tcp", relayAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	r.Serve(l)
	var raw net.Conn
	if raw, err = alice.Dial(context.Background(), "tcp", relayAddr.String()); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, tls: tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: name})}
	if err := c.tls.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c, r
}

const goodName = "www.abcdefgh.com"

// open returns a client whose link is open, and that has a circuit if fast is set.
func open(t *testing.T, tb testing.TB, fast bool, cfg fakepeer.Config) (*client, *fakepeer.Relay) {
	t.Helper()
	c, r := dial(t, tb, goodName, cfg)
	c.send(cell.Cell{Cmd: cell.CmdVersions, Body: []byte{0, 5}})
	c.proto = 5
	c.want(cell.CmdNetinfo)
	c.send(cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(0)})
	if fast {
		c.create()
	}
	return c, r
}

func netinfo(time uint32, mine ...netip.Addr) []byte {
	b, err := cell.Netinfo{Time: time, Other: relayAddr.Addr(), Mine: mine}.AppendTo(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func (c *client) create() {
	c.t.Helper()
	x := [20]byte{1}
	c.send(cell.Cell{Circ: circID, Cmd: cell.CmdCreateFast, Body: x[:]})
	m, err := cell.ParseCreatedFast(c.want(cell.CmdCreatedFast).Body)
	if err != nil {
		c.t.Fatal(err)
	}
	seed, err := kdf.FinishFast(x, m.Y, m.KH)
	if err != nil {
		c.t.Fatal(err)
	}
	material, _ := seed.Circuit(relaycrypt.TorOneKeyLen)
	keys, err := relaycrypt.ParseTor1(material)
	if err != nil {
		c.t.Fatal(err)
	}
	c.out.Add(keys.Forward())
	c.in.Add(keys.Backward())
}

func (c *client) send(out cell.Cell) {
	c.t.Helper()
	b, err := cell.FramingFor(c.proto).AppendCell(nil, out)
	if err == nil {
		_, err = c.tls.Write(b)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// want reads until a cell of a command comes.
func (c *client) want(cmd cell.Command) cell.Cell {
	c.t.Helper()
	first := len(c.buf) == 0 && c.proto == 5 && cmd == cell.CmdNetinfo
	for {
		f := cell.FramingFor(c.proto)
		if first {
			f = cell.FramingFor(0)
		}
		next, n, err := f.Next(c.buf)
		if err != nil {
			c.t.Fatal(err)
		}
		if n == 0 {
			p := make([]byte, 32<<10)
			n, err := c.tls.Read(p)
			if err != nil {
				c.t.Fatalf("waiting for %v: %v", cmd, err)
			}
			c.buf = append(c.buf, p[:n]...)
			continue
		}
		c.buf, first = c.buf[n:], false
		if next.Cmd == cmd {
			return next
		}
	}
}

var pad = mathrand.NewChaCha8([32]byte{})

// say sends a message to the hop, in a cell of some command.
func (c *client) say(cmd cell.Command, m relaymsg.Msg) {
	c.t.Helper()
	var body [cell.BodyLen]byte
	if err := relaymsg.V0.Encode(&body, m, pad); err != nil {
		c.t.Fatal(err)
	}
	c.out.Seal(&body, uint8(cmd), 0)
	c.send(cell.Cell{Circ: circID, Cmd: cmd, Body: body[:]})
}

// hear returns the next message.
func (c *client) hear() relaymsg.Msg {
	c.t.Helper()
	body := [cell.BodyLen]byte(c.want(cell.CmdRelay).Body)
	if _, _, ok := c.in.Open(&body, uint8(cell.CmdRelay)); !ok {
		c.t.Fatal("a cell that is not for us")
	}
	m, err := relaymsg.V0.Decode(&body)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// begin opens stream 1.
func (c *client) begin() {
	c.t.Helper()
	c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdBegin, Stream: 1, Body: []byte("example.com:80\x00")})
	if m := c.hear(); m.Cmd != relaymsg.CmdConnected || m.Stream != 1 {
		c.t.Fatalf("BEGIN is answered by %v", m.Cmd)
	}
}

func data(n int) relaymsg.Msg {
	return relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: 1, Body: make([]byte, n)}
}

// A client that breaks a rule is reported, with the rule.
func TestViolations(t *testing.T) {
	early := func(c *client, n int) {
		for range n {
			c.say(cell.CmdRelayEarly, relaymsg.Msg{Cmd: relaymsg.CmdDrop})
		}
	}
	for _, v := range []struct {
		name string
		do   func(c *client)
		want string // "" if it is no violation
	}{
		{"eight RELAY_EARLY", func(c *client) { early(c, 8) }, ""},
		{"nine RELAY_EARLY", func(c *client) { early(c, 9) }, "9 RELAY_EARLY"},
		{"circuit ID without the high bit", func(c *client) { c.send(cell.Cell{Circ: 7, Cmd: cell.CmdCreateFast}) }, "high bit"},
		{"circuit ID in use", func(c *client) { c.send(cell.Cell{Circ: circID, Cmd: cell.CmdCreateFast}) }, "in use"},
		{"CREATE2 of nonsense", func(c *client) { c.send(cell.Cell{Circ: circID + 1, Cmd: cell.CmdCreate2}) }, "CREATE2 that cannot be answered"},
		{"CREATE", func(c *client) { c.send(cell.Cell{Circ: circID + 1, Cmd: cell.CmdCreate}) }, "CREATE on an open link"},
		{"RELAY on no circuit", func(c *client) { c.send(cell.Cell{Circ: circID + 1, Cmd: cell.CmdRelay}) }, "not there"},
		{"RELAY after DESTROY", func(c *client) {
			c.send(cell.Cell{Circ: circID, Cmd: cell.CmdDestroy})
			early(c, 1)
		}, "not there"},
		{"DESTROY with a reason", func(c *client) { c.send(cell.Cell{Circ: circID, Cmd: cell.CmdDestroy, Body: []byte{9}}) }, "reason FINISHED"},
		{"NETINFO again", func(c *client) { c.send(cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(0)}) }, "NETINFO on an open link"},
		{"PADDING_NEGOTIATE", func(c *client) { c.send(cell.Cell{Cmd: cell.CmdPaddingNegotiate, Body: []byte{0, 1}}) }, ""},
		{"PADDING_NEGOTIATE of a later version", func(c *client) { c.send(cell.Cell{Cmd: cell.CmdPaddingNegotiate, Body: []byte{1, 1}}) }, "PADDING_NEGOTIATE"},
		{"garbage", func(c *client) {
			c.send(cell.Cell{Circ: circID, Cmd: cell.CmdRelay, Body: bytes.Repeat([]byte{1}, 509)})
		}, "no hop"},
		{"EXTEND2 in RELAY", func(c *client) { c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdExtend2, Body: make([]byte, 9)}) }, "EXTEND2 in a RELAY cell"},
		{"message of a relay", func(c *client) { c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdConnected, Stream: 1}) }, "CONNECTED"},
		{"DATA on no stream", func(c *client) { c.say(cell.CmdRelay, data(5)) }, "not there"},
		{"stream ID in use", func(c *client) { c.begin(); c.begin() }, "in use"},
		{"BEGIN without an end", func(c *client) {
			c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdBegin, Stream: 1, Body: []byte("example.com:80")})
		}, "BEGIN"},
		{"DATA after END", func(c *client) {
			c.begin()
			c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdEnd, Stream: 1})
			c.say(cell.CmdRelay, data(5))
		}, "not there"},
		{"empty DATA", func(c *client) { c.begin(); c.say(cell.CmdRelay, data(0)) }, "empty DATA"},
		{"a whole window of DATA", func(c *client) { c.flood(500) }, ""},
		{"DATA beyond the window", func(c *client) { c.flood(501) }, "window of stream 1"},
		{"SENDME unasked", func(c *client) { c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdSendme}) }, "SENDME of version 0"},
		{"SENDME of a stream unasked", func(c *client) {
			c.begin()
			c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdSendme, Stream: 1})
		}, "SENDME of stream 1"},
		{"SENDME with a tag, unasked", func(c *client) {
			c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdSendme, Body: append([]byte{1, 0, 20}, make([]byte, 20)...)})
		}, "none was due"},
	} {
		t.Run(v.name, func(t *testing.T) {
			j := &judged{TB: t}
			c, r := open(t, j, true, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Open }})
			v.do(c)
			c.send(cell.Cell{Cmd: cell.CmdPadding}) // when this has come, all before it has
			r.WaitFor("padding", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdPadding] == 1 })
			got := strings.Join(r.Violations(), "; ")
			if (got == "") != (v.want == "") || !strings.Contains(got, v.want) || (j.count() == 0) != (v.want == "") {
				t.Errorf("violations %q, want %q; the test was told of %d", got, v.want, j.count())
			}
		})
	}
}

// flood opens a stream that nobody reads, and sends so much DATA. The relay's circuit SENDMEs come back.
func (c *client) flood(n int) {
	c.begin()
	for range n {
		c.say(cell.CmdRelay, data(1))
	}
}

// A SENDME must quote the cell that it is for.
func TestWrongSendme(t *testing.T) {
	for name, flip := range map[string]byte{"right": 0, "wrong": 1} {
		t.Run(name, func(t *testing.T) {
			j := &judged{TB: t}
			c, r := open(t, j, true, fakepeer.Config{})
			c.begin()
			for range 100 {
				r.Circuit().Send(0, data(3))
			}
			var tag relaycrypt.Tag
			for range 100 {
				body := [cell.BodyLen]byte(c.want(cell.CmdRelay).Body)
				_, tag, _ = c.in.Open(&body, uint8(cell.CmdRelay))
			}
			body := append([]byte{1, 0, 20}, tag.Bytes()...)
			body[3] ^= flip
			c.say(cell.CmdRelay, relaymsg.Msg{Cmd: relaymsg.CmdSendme, Body: body})
			c.send(cell.Cell{Cmd: cell.CmdPadding})
			r.WaitFor("padding", func(s *fakepeer.Stats) bool { return s.Cells[cell.CmdPadding] == 1 })
			if got := len(r.Violations()); got != int(flip) {
				t.Errorf("violations %q", r.Violations())
			}
		})
	}
}

// So is a client that shows itself while the link opens.
func TestHandshakeViolations(t *testing.T) {
	versions := cell.Cell{Cmd: cell.CmdVersions, Body: []byte{0, 5}}
	for _, v := range []struct {
		name, host string
		first      cell.Cell
		netinfo    cell.Cell
		want       string
	}{
		{"good", goodName, versions, cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(0)}, ""},
		{"no server name", "", versions, cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(0)}, "server name"},
		{"true server name", "relay.example.com", versions, cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(0)}, "server name"},
		{"not VERSIONS", goodName, cell.Cell{Cmd: cell.CmdVPadding}, cell.Cell{}, "first cell is VPADDING"},
		{"VERSIONS in disorder", goodName, cell.Cell{Cmd: cell.CmdVersions, Body: []byte{0, 5, 0, 4}}, cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(0)}, "VERSIONS [5 4]"},
		{"NETINFO with a time", goodName, versions, cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(7)}, "with time 7"},
		{"NETINFO with an address", goodName, versions, cell.Cell{Cmd: cell.CmdNetinfo, Body: netinfo(0, relayAddr.Addr())}, "1 addresses"},
		{"NETINFO with a wrong address", goodName, versions, cell.Cell{Cmd: cell.CmdNetinfo, Body: []byte{0, 0, 0, 0, 4, 4, 1, 2, 3, 4, 0}}, "our address is 1.2.3.4"},
		{"CREATE_FAST before NETINFO", goodName, versions, cell.Cell{Circ: circID, Cmd: cell.CmdCreateFast}, "CREATE_FAST"},
	} {
		t.Run(v.name, func(t *testing.T) {
			j := &judged{TB: t}
			c, r := dial(t, j, v.host, fakepeer.Config{})
			c.send(v.first)
			c.proto = 5
			if v.netinfo.Cmd != 0 {
				c.want(cell.CmdNetinfo)
				c.send(v.netinfo)
			}
			r.WaitFor("the end of the handshake", func(s *fakepeer.Stats) bool { return s.Open+s.Closed == 1 })
			if got := strings.Join(r.Violations(), "; "); (got == "") != (v.want == "") || !strings.Contains(got, v.want) {
				t.Errorf("violations %q, want %q", got, v.want)
			}
		})
	}
}

// Identities are made once, and differ.
func TestIdentities(t *testing.T) {
	a, b := fakepeer.Identities(2), fakepeer.Identities(1)
	if a[0] != b[0] || a[0].RSA() == a[1].RSA() || a[0].Ed() == a[1].Ed() || a[0].NTor() == a[1].NTor() {
		t.Error("identities are not what they should be")
	}
	if _, _, err := a[0].Keys().Responder(rand.Reader, &a[0].Keys().RSA.PublicKey, a[0].Keys().IDCert.Expires.AddDate(-50, 0, 0), 0); err != nil {
		t.Error(err)
	}
}
