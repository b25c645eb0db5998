package server

import (
	"bytes"
	"crypto/ed25519"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// TestHostileOnions sends to introduction and rendezvous points what nobody may: the circuit ends with PROTOCOL, and so does
// one that it is joined with, but no other.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func TestHostileOnions(t *testing.T) {
	honest := func(c *raw) []byte { return c.establishIntro(nil, nil) }
	say := func(cmd relaymsg.Command, body ...byte) func(*raw) {
		return func(c *raw) { c.say(cmd, body) }
	}
	establish := func(tamper func(m *relaymsg.EstablishIntro)) func(*raw) {
		return func(c *raw) { c.say(relaymsg.CmdEstablishIntro, c.establishIntro(nil, tamper)) }
	}
	// raw bytes of an honest ESTABLISH_INTRO, changed
	mangle := func(change func(body []byte) []byte) func(*raw) {
		return func(c *raw) { c.say(relaymsg.CmdEstablishIntro, change(honest(c))) }
	}
	extend := func(c *raw) {
		c.queue(cell.CmdRelayEarly, extend2(c.t, 1, netip.MustParseAddrPort("203.0.113.9:1")))
		c.signal()
	}
	intro := func(c *raw) { c.intro(nil) }
	wait := func(c *raw) { c.wait() }
	introduce := func(c *raw) { c.say(relaymsg.CmdIntroduce1, introduce1(c.t, introKey)) }
	answered := func(c *raw) { introduce(c); c.take() }
	var clients, services *mallory // honest ones, elsewhere
	client := func() *raw {
		c := clients.circuit()
		c.wait()
		return c
	}
	watched := false // somebody waits who is to wait still
	bystander := func(*raw) { client(); watched = true }
	joined := func(c *raw) { c.meet(client()) }
	joinedAsClient := func(c *raw) {
		c.wait()
		services.circuit().meet(c)
	}
	meet := say(relaymsg.CmdRendezvous1, append(cookie[:], make([]byte, 64)...)...)
	garbage := func(c *raw) {
		c.send(c.id, cell.CmdRelay, make([]byte, cell.BodyLen))
		c.signal()
	}
	early := func(c *raw) {
		for range 9 {
			c.send(c.id, cell.CmdRelayEarly, make([]byte, cell.BodyLen))
		}
		c.signal()
	}
	_, stranger, _ := ed25519.GenerateKey(nil)
	table := []struct {
		name   string
		before func(*raw) // honest
		do     func(*raw)
	}{
		{"ESTABLISH_INTRO, empty", nil, say(relaymsg.CmdEstablishIntro)},
		{"ESTABLISH_INTRO of version 2", nil, mangle(func(b []byte) []byte { b[0] = 0; return b })},
		{"ESTABLISH_INTRO of an unknown type", nil, mangle(func(b []byte) []byte { b[0] = 3; return b })},
		{"ESTABLISH_INTRO with a short key", nil, mangle(func(b []byte) []byte { b[2] = 31; return b })},
		{"ESTABLISH_INTRO, cut off in the key", nil, mangle(func(b []byte) []byte { return b[:20] })},
		{"ESTABLISH_INTRO, cut off in the MAC", nil, mangle(func(b []byte) []byte { return b[:50] })},
		{"ESTABLISH_INTRO, cut off in the signature", nil, mangle(func(b []byte) []byte { return b[:len(b)-1] })},
		{"ESTABLISH_INTRO with fewer extensions than it says", nil, mangle(func(b []byte) []byte { b[35] = 200; return b })},
		{"ESTABLISH_INTRO with a signature of 63 bytes", nil, mangle(func(b []byte) []byte { b[len(b)-65] = 63; return b })},
		{"ESTABLISH_INTRO for another circuit", nil, establish(func(m *relaymsg.EstablishIntro) {
			maced, _ := m.AppendMACed(nil)
			m.MAC = relaymsg.EstablishIntroMAC([20]byte{1}, maced)
		})},
		{"ESTABLISH_INTRO with a wrong MAC", nil, establish(func(m *relaymsg.EstablishIntro) { m.MAC[31] ^= 1 })},
		{"ESTABLISH_INTRO with a wrong signature", nil, establish(func(m *relaymsg.EstablishIntro) { m.Sig[0] = 1 })},
		{"ESTABLISH_INTRO with the key of another", nil, func(c *raw) {
			c.say(relaymsg.CmdEstablishIntro, c.establishIntro(nil, func(m *relaymsg.EstablishIntro) {
				m.AuthKey = authKeyOf(stranger)
				maced, _ := m.AppendMACed(nil)
				m.MAC = relaymsg.EstablishIntroMAC(c.kh, maced)
			}))
		}},
		{"ESTABLISH_INTRO again", intro, func(c *raw) { c.say(relaymsg.CmdEstablishIntro, honest(c)) }},
		{"ESTABLISH_INTRO of a client that waits", wait, func(c *raw) { c.say(relaymsg.CmdEstablishIntro, honest(c)) }},
		{"ESTABLISH_INTRO after INTRODUCE1", answered, func(c *raw) { c.say(relaymsg.CmdEstablishIntro, honest(c)) }},
		{"ESTABLISH_INTRO on a joined circuit", joined, func(c *raw) { c.say(relaymsg.CmdEstablishIntro, honest(c)) }},

		{"INTRODUCE1, empty", nil, say(relaymsg.CmdIntroduce1)},
		{"INTRODUCE1 of 19 bytes", nil, say(relaymsg.CmdIntroduce1, make([]byte, 19)...)},
		{"INTRODUCE1 again", answered, introduce},
		{"INTRODUCE1 again, after one of bad format", func(c *raw) { c.say(relaymsg.CmdIntroduce1, make([]byte, 20)); c.take() }, introduce},
		{"INTRODUCE1 of a service", intro, introduce},
		{"INTRODUCE1 of a client that waits", wait, introduce},

		{"ESTABLISH_RENDEZVOUS, empty", nil, say(relaymsg.CmdEstablishRendezvous)},
		{"ESTABLISH_RENDEZVOUS of 19 bytes", nil, say(relaymsg.CmdEstablishRendezvous, cookie[:19]...)},
		{"ESTABLISH_RENDEZVOUS of 21 bytes", nil, say(relaymsg.CmdEstablishRendezvous, append(cookie[:], 0)...)},
		{"ESTABLISH_RENDEZVOUS again", wait, say(relaymsg.CmdEstablishRendezvous, make([]byte, 20)...)},
		{"ESTABLISH_RENDEZVOUS of a service", intro, say(relaymsg.CmdEstablishRendezvous, cookie[:]...)},
		{"ESTABLISH_RENDEZVOUS with a cookie in use", bystander, say(relaymsg.CmdEstablishRendezvous, cookie[:]...)},
		{"ESTABLISH_RENDEZVOUS after INTRODUCE1", answered, say(relaymsg.CmdEstablishRendezvous, cookie[:]...)},
		{"ESTABLISH_RENDEZVOUS on a joined circuit", joinedAsClient, say(relaymsg.CmdEstablishRendezvous, cookie[:]...)},

		{"RENDEZVOUS1, empty", nil, say(relaymsg.CmdRendezvous1)},
		{"RENDEZVOUS1 of 19 bytes", bystander, say(relaymsg.CmdRendezvous1, cookie[:19]...)},
		{"RENDEZVOUS1 for nobody", nil, meet},
		{"RENDEZVOUS1 for itself", wait, meet},
		{"RENDEZVOUS1 for a client that has met", joined, meet},
		{"RENDEZVOUS1 of another service for a client that has met", func(*raw) {
			services.circuit().meet(client())
		}, meet},
		{"RENDEZVOUS1 for a client that has gone", func(*raw) { client().close() }, meet},
		{"RENDEZVOUS1 of an introduction point's circuit", func(c *raw) { bystander(c); c.intro(nil) }, meet},

		{"INTRODUCE2 from a client", nil, say(relaymsg.CmdIntroduce2, make([]byte, 200)...)},
		{"INTRO_ESTABLISHED from a service", intro, say(relaymsg.CmdIntroEstablished, 0)},
		{"INTRODUCE_ACK from a service", intro, say(relaymsg.CmdIntroduceAck, 0, 0, 0)},
		{"RENDEZVOUS_ESTABLISHED from a client", wait, say(relaymsg.CmdRendezvousEstablished)},
		{"RENDEZVOUS2 from a client", wait, say(relaymsg.CmdRendezvous2, make([]byte, 64)...)},

		{"ESTABLISH_INTRO while extending", extend, func(c *raw) { c.say(relaymsg.CmdEstablishIntro, honest(c)) }},
		{"EXTEND2 of an introduction point's circuit", intro, extend},
		{"EXTEND2 of a client that waits", wait, extend},
		{"EXTEND2 of a joined circuit", joined, extend},
		{"unrecognized cell to an introduction point", intro, garbage},
		{"unrecognized cell of a client that waits", wait, garbage},
		{"too many RELAY_EARLY cells of a service", joined, early},
		{"too many RELAY_EARLY cells of a client", joinedAsClient, early},
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		b.net.Cut(b.host, b.net.Host("dead", netip.MustParseAddr("203.0.113.9"))) // extend does not get anywhere
		m := b.mallory("198.51.100.1", ids[0])
		clients, services = b.mallory("198.51.100.2", nil), b.mallory("198.51.100.3", nil)
		for _, tt := range table {
			m.name, clients.name, services.name = tt.name, tt.name, tt.name
			c := m.circuit()
			if tt.before != nil {
				tt.before(c)
			}
			tt.do(c)
			c.wantDestroyed(cell.DestroyProtocol)
			if watched && b.server.ends.rend.Waiting() != 1 {
				t.Errorf("%s: another client waits no longer", tt.name)
			}
			watched = false
			for id := clients.next; id > 0; id-- {
				clients.send(1<<31|id, cell.CmdDestroy, []byte{0})
			}
			clients.signal()
			b.wantNoPoints()
			good := client()
			services.circuit().meet(good)
			good.close()
			b.wantNoCircuits()
		}
		b.wantHonest("192.0.2.2")
	})
}

// A client that is no relay away cannot introduce itself.
func TestSingleHopIntroduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		s := b.mallory("198.51.100.1", nil).circuit()
		s.intro(nil)
		c := b.mallory("198.51.100.2", nil).circuit()
		c.say(relaymsg.CmdIntroduce1, introduce1(t, introKey))
		c.wantDestroyed(cell.DestroyProtocol)
		s.wantAlive()
	})
}

// What a service sends behind RENDEZVOUS1, in the same batch, goes to the client, and none of it as RELAY_EARLY.
func TestSentWithRendezvous1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		c, s := b.mallory("198.51.100.1", nil).circuit(), b.mallory("198.51.100.2", nil).circuit()
		c.wait()
		c.meetAt(s)
		s.relay(relaymsg.CmdRendezvous1, 0, append(cookie[:], 1, 2))
		for i, cmd := range []cell.Command{cell.CmdRelay, cell.CmdRelayEarly, cell.CmdRelay} {
			s.queueTo(1, cmd, relaymsg.Msg{Cmd: relaymsg.CmdData, Stream: 1, Body: []byte{byte(i)}})
		}
		s.signal()
		msgs, destroyed, reason := c.take()
		if len(msgs) != 4 || destroyed || msgs[0].Cmd != relaymsg.CmdRendezvous2 || !bytes.Equal(msgs[3].Body, []byte{2}) {
			t.Errorf("got %v, destroyed: %v, %v", msgs, destroyed, reason)
		}
	})
}
