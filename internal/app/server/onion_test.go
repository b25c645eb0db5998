package server

import (
	"bytes"
	"crypto/ed25519"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/role/dos"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// introKey is by what a service is known to its introduction point.
var introKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func authKeyOf(key ed25519.PrivateKey) [32]byte { return [32]byte(key.Public().(ed25519.PublicKey)) }

// establishIntro returns the body of an honest ESTABLISH_INTRO for a circuit, but for what change does before it is MACed, and
// tamper before it is signed.
func (c *raw) establishIntro(exts circext.List, tamper func(m *relaymsg.EstablishIntro)) []byte {
	c.t.Helper()
	m := relaymsg.EstablishIntro{AuthKey: authKeyOf(introKey), Exts: exts}
	maced, err := m.AppendMACed(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	m.MAC = relaymsg.EstablishIntroMAC(c.kh, maced)
	if tamper != nil {
		tamper(&m)
	}
	signed, err := m.AppendSigned([]byte(relaymsg.EstablishIntroPrefix))
	if err != nil {
		c.t.Fatal(err)
	}
	if m.Sig == [64]byte{} {
		m.Sig = [64]byte(ed25519.Sign(introKey, signed))
	}
	body, err := m.AppendTo(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return body
}

// introduce1 returns the body of an INTRODUCE1 for a key.
func introduce1(t testing.TB, key ed25519.PrivateKey) []byte {
	t.Helper()
	body, err := relaymsg.Introduce{AuthKey: authKeyOf(key), Encrypted: bytes.Repeat([]byte{7}, 200)}.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// say sends one message.
func (c *raw) say(cmd relaymsg.Command, body []byte) {
	c.t.Helper()
	c.relay(cmd, 0, body)
	c.signal()
}

// want returns the body of the one message that has come.
func (c *raw) want(cmd relaymsg.Command) []byte {
	c.t.Helper()
	msgs, destroyed, reason := c.take()
	if destroyed || len(msgs) != 1 || msgs[0].Cmd != cmd {
		c.t.Fatalf("%s: got %v, destroyed: %v, %v; want %v", c.name, msgs, destroyed, reason, cmd)
	}
	return msgs[0].Body
}

// wantAck checks what a client hears of its introduction.
func (c *raw) wantAck(want relaymsg.IntroduceStatus) {
	c.t.Helper()
	m, err := relaymsg.ParseIntroduceAck(c.want(relaymsg.CmdIntroduceAck))
	if err != nil || m.Status != want {
		c.t.Errorf("%s: status %v, %v; want %v", c.name, m.Status, err, want)
	}
}

// intro makes the relay an introduction point for whoever has the circuit.
func (c *raw) intro(exts circext.List) {
	c.t.Helper()
	c.say(relaymsg.CmdEstablishIntro, c.establishIntro(exts, nil))
	c.want(relaymsg.CmdIntroEstablished)
}

// close ends the circuit from the client's side.
func (c *raw) close() {
	c.send(c.id, cell.CmdDestroy, []byte{0})
	c.signal()
	synctest.Wait()
}

var cookie = [20]byte{1, 2, 3}

// wait makes the relay a rendezvous point for whoever has the circuit.
func (c *raw) wait() {
	c.t.Helper()
	c.say(relaymsg.CmdEstablishRendezvous, cookie[:])
	c.want(relaymsg.CmdRendezvousEstablished)
}

// meet comes on circuit c for the client that waits on another.
func (c *raw) meet(client *raw) {
	c.t.Helper()
	handshake := bytes.Repeat([]byte{9}, 64)
	c.say(relaymsg.CmdRendezvous1, append(cookie[:], handshake...))
	if got := client.want(relaymsg.CmdRendezvous2); !bytes.Equal(got, handshake) {
		c.t.Errorf("%s: RENDEZVOUS2 has %x", c.name, got)
	}
}

// wantNoPoints checks that nothing is left of introduction and rendezvous points.
func (b *bed) wantNoPoints() {
	b.t.Helper()
	synctest.Wait()
	if i, r := b.server.ends.intro.Services(), b.server.ends.rend.Waiting(); i != 0 || r != 0 {
		b.t.Errorf("%d introduction points are left, and %d clients that wait", i, r)
	}
}

// https://spec.torproject.org/rend-spec/introduction-protocol.html
func TestIntroduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		service, client := b.mallory("198.51.100.1", nil), b.mallory("198.51.100.2", ids[0])
		s := service.circuit()
		s.intro(nil)
		hello := introduce1(t, introKey)
		introduce := func(body []byte, want relaymsg.IntroduceStatus) {
			t.Helper()
			c := client.circuit()
			c.say(relaymsg.CmdIntroduce1, body)
			c.wantAck(want)
			c.close()
		}
		introduce(hello, relaymsg.IntroduceOK)
		if got := s.want(relaymsg.CmdIntroduce2); !bytes.Equal(got, hello) {
			t.Errorf("INTRODUCE2 is %x", got)
		}
		_, other, _ := ed25519.GenerateKey(nil)
		introduce(introduce1(t, other), relaymsg.IntroduceUnknownID)
		legacy, short, long := bytes.Clone(hello), hello[:56], append(bytes.Clone(hello), make([]byte, 491-len(hello))...)
		legacy[3] = 1
		for _, body := range [][]byte{make([]byte, 20), legacy, short, long} {
			introduce(body, relaymsg.IntroduceBadFormat)
		}
		introduce(append(bytes.Clone(hello), make([]byte, 490-len(hello))...), relaymsg.IntroduceOK)
		s.want(relaymsg.CmdIntroduce2)

		// The service has lost the circuit and comes again.
		again := b.mallory("198.51.100.3", nil).circuit()
		again.intro(nil)
		s.wantDestroyed(cell.DestroyFinished)
		introduce(hello, relaymsg.IntroduceOK)
		again.want(relaymsg.CmdIntroduce2)
		again.close()
		introduce(hello, relaymsg.IntroduceUnknownID)

		// A client goes on to another introduction point by the same circuit.
		c := client.circuit()
		c.say(relaymsg.CmdIntroduce1, hello)
		c.wantAck(relaymsg.IntroduceUnknownID)
		c.queue(cell.CmdRelayEarly, extend2(t, 1, netip.MustParseAddrPort("203.0.113.9:1")))
		c.signal()
		c.wantDestroyed(cell.DestroyConnectFailed) // nobody is there
		b.wantNoPoints()
	})
}

// C tor's clients test circuits that they have used by a stream to nowhere (pathbias_send_usable_probe): it is refused as on any
// other circuit, which lives on.
func TestProbeOfOnionCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(cfg *Config) { cfg.Exit.RefuseUnknown = torrc.No })
		s, c := b.mallory("198.51.100.1", ids[0]).circuit(), b.mallory("198.51.100.2", ids[1]).circuit()
		s.intro(nil)
		c.wait()
		for _, side := range []*raw{s, c} {
			side.relay(relaymsg.CmdBegin, 1, []byte("0.1.2.3:25\x00"))
			side.signal()
			m, err := relaymsg.ParseEnd(side.want(relaymsg.CmdEnd))
			if err != nil || m.Reason != relaymsg.EndExitPolicy || m.Addr != netip.MustParseAddr("0.1.2.3") {
				t.Errorf("got %+v, %v", m, err)
			}
		}
		b.mallory("198.51.100.3", nil).circuit().meet(c)
		s.wantAlive()
	})
}

// As many introductions pass as the service, or the consensus, has said: all circuits of a client that floods come by one
// link.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html#EST_INTRO_DOS_EXT
func TestIntroduceFlood(t *testing.T) {
	limit := func(rate, burst uint64) circext.List {
		return circext.List{circext.IntroDoS{Rate: rate, Burst: burst}.Extension()}
	}
	defended := params.List{
		{Name: "HiddenServiceEnableIntroDoSBurstPerSec", Value: 50}, {Name: "HiddenServiceEnableIntroDoSDefense", Value: 1},
		{Name: "HiddenServiceEnableIntroDoSRatePerSec", Value: 5},
	}
	const flood = 300
	for _, tt := range []struct {
		name        string
		exts        circext.List
		params      params.List
		burst, rate int // of introductions that pass, of flood at once and of flood ten seconds later
	}{
		{"no limits", nil, nil, flood, flood},
		{"the service's", limit(10, 100), nil, 99, 99},
		{"the service's, slow", limit(2, 100), nil, 99, 19},
		{"the consensus's", nil, defended, 49, 49},
		{"the service's instead of the consensus's", limit(1, 10), defended, 9, 9},
		{"zero turns them off", limit(0, 10), defended, flood, flood},
		{"burst below rate turns them off", limit(10, 9), defended, flood, flood},
		{"more than can be turns them off", limit(1, 1<<31), defended, flood, flood},
		{"unknown parameter counts for nothing", circext.List{{Type: circext.TypeIntroDoS, Body: []byte{1, 9, 0, 0, 0, 0, 0, 0, 0, 1}}}, defended, 49, 49},
		{"cut short counts for nothing", circext.List{{Type: circext.TypeIntroDoS, Body: []byte{2, 1, 0}}}, defended, 49, 49},
		{"unknown extension", circext.List{{Type: 99}}, defended, 49, 49},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, nil)
				s := b.mallory("198.51.100.1", nil).circuit()
				s.intro(tt.exts)
				b.server.ends.intro.SetParams(tt.params)
				client := b.mallory("198.51.100.2", ids[0])
				hello := introduce1(t, introKey)
				rejected := uint64(0)
				for i, want := range []int{tt.burst, tt.rate} {
					for range flood {
						c := client.circuit()
						c.relay(relaymsg.CmdIntroduce1, 0, hello)
						c.send(c.id, cell.CmdDestroy, []byte{0})
						c.signal()
					}
					got, destroyed, _ := s.take()
					if len(got) != want || destroyed {
						t.Errorf("flood %d: %d introductions passed, destroyed: %v; want %d", i, len(got), destroyed, want)
					}
					rejected += uint64(flood - want)
					time.Sleep(10 * time.Second)
				}
				if n := b.server.ends.intro.Rejected(); n != rejected {
					t.Errorf("%d introductions were rejected, want %d", n, rejected)
				}
			})
		})
	}
}

// A service that does not read keeps its introduction point, however many clients come.
func TestIntroduceToDeafService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		service, client := b.mallory("198.51.100.1", nil), b.mallory("198.51.100.2", ids[0])
		s := service.circuit()
		s.intro(nil)
		b.net.Cut(b.host, service.host)
		hello := introduce1(t, introKey)
		statuses := map[relaymsg.IntroduceStatus]int{}
		const clients = 4000
		for range clients {
			c := client.circuit()
			c.say(relaymsg.CmdIntroduce1, hello)
			m, err := relaymsg.ParseIntroduceAck(c.want(relaymsg.CmdIntroduceAck))
			if err != nil {
				t.Fatal(err)
			}
			statuses[m.Status]++
			c.send(c.id, cell.CmdDestroy, []byte{0})
		}
		passed := statuses[relaymsg.IntroduceOK]
		if passed < 2500 || passed+statuses[relaymsg.IntroduceCannotRelay] != clients || passed == clients {
			t.Errorf("clients heard %v", statuses)
		}
		b.net.Heal(b.host, service.host)
		if got, destroyed, _ := s.take(); len(got) != passed || destroyed {
			t.Errorf("%d introductions came, destroyed: %v; want %d", len(got), destroyed, passed)
		}
		c := client.circuit()
		c.say(relaymsg.CmdIntroduce1, hello)
		c.wantAck(relaymsg.IntroduceOK)
		s.want(relaymsg.CmdIntroduce2)
	})
}

// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
func TestRendezvousEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(client, service *raw)
		want [2]cell.DestroyReason // client's, service's; 0: that end has ended it
	}{
		{"by the client", func(c, _ *raw) { c.close() }, [2]cell.DestroyReason{0, cell.DestroyDestroyed}},
		{"by the service", func(_, s *raw) { s.close() }, [2]cell.DestroyReason{cell.DestroyDestroyed, 0}},
		{"the client's link", func(c, _ *raw) { c.link.Close(errPart) }, [2]cell.DestroyReason{0, cell.DestroyDestroyed}},
		{"the service's link", func(_, s *raw) { s.link.Close(errPart) }, [2]cell.DestroyReason{cell.DestroyDestroyed, 0}},
		{"the client breaks the protocol", func(c, _ *raw) { c.say(relaymsg.CmdIntroduce2, nil) }, [2]cell.DestroyReason{cell.DestroyProtocol, cell.DestroyProtocol}},
		{"the service breaks the protocol", func(_, s *raw) { s.say(relaymsg.CmdRendezvous1, cookie[:]) }, [2]cell.DestroyReason{cell.DestroyProtocol, cell.DestroyProtocol}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, nil)
				c, s := b.mallory("198.51.100.1", nil).circuit(), b.mallory("198.51.100.2", nil).circuit()
				c.wait()
				s.meet(c)
				b.wantNoPoints()
				tt.end(c, s)
				for i, side := range []*raw{c, s} {
					_, destroyed, reason := side.take()
					if destroyed != (tt.want[i] != 0) || reason != tt.want[i] {
						t.Errorf("side %d: destroyed: %v, %v; want %v", i, destroyed, reason, tt.want[i])
					}
				}
				b.wantNoCircuits()
			})
		})
	}
}

// A client that is linked to the relay is refused in silence if operator or consensus say so; a service may be.
func TestSingleHopRendezvous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, func(cfg *Config) { cfg.DoS.RefuseSingleHop = dos.On })
		near, far := b.mallory("198.51.100.1", nil), b.mallory("198.51.100.2", ids[0])
		c := near.circuit()
		c.say(relaymsg.CmdEstablishRendezvous, cookie[:])
		if msgs, destroyed, _ := c.take(); len(msgs) != 0 || destroyed {
			t.Errorf("a client heard %v, destroyed: %v", msgs, destroyed)
		}
		if n := b.server.dos.Stats().SingleHopRefused; n != 1 {
			t.Errorf("%d clients were refused", n)
		}
		c = far.circuit()
		c.wait()
		near.circuit().meet(c)
	})
}
