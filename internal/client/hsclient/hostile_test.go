package hsclient

import (
	"bytes"
	crand "crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// lowOrder are all encodings of points of low order on the curve and its twist, of which the zero point is one. The last bit of a key
// is ignored, so each is there twice.
//
// https://cr.yp.to/ecdh.html#validate
var lowOrder = func() (list [][32]byte) {
	for _, text := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p - 1
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p + 1
	} {
		key := [32]byte(must(hex.DecodeString(text)))
		list = append(list, key)
		key[31] |= 0x80
		list = append(list, key)
	}
	return list
}()

// A stage is how far a client has come when somebody says something out of turn.
type stage string

const (
	atRend      stage = "rendezvous circuit is there"
	asking      stage = "ESTABLISH_RENDEZVOUS has come"
	answered    stage = "RENDEZVOUS_ESTABLISHED was sent"
	atIntro     stage = "introduction circuit is there"
	introducing stage = "INTRODUCE1 has come"
	acked       stage = "INTRODUCE_ACK was sent"
)

// hostile lets f say something at a stage, besides what is right.
func hostile(s *service, at stage, f func(c *fakepeer.Circuit)) (hooks fakepeer.Hooks) {
	last := 2 // of a rendezvous circuit, from 0
	if at == atIntro {
		last = 3
	}
	switch at {
	case atRend, atIntro: // EXTENDED2 of the last hop is about to go out
		hooks.Answer = func(c *fakepeer.Circuit, hop int, out *relaymsg.Msg) bool {
			if hop == last-1 && out.Cmd == relaymsg.CmdExtended2 {
				go func() {
					for c.Hops() <= last {
						time.Sleep(time.Microsecond)
					}
					f(c)
				}()
			}
			return true
		}
	case asking:
		s.ask = func(c *fakepeer.Circuit, _ [20]byte) bool { f(c); return false }
	case answered:
		s.ask = func(c *fakepeer.Circuit, _ [20]byte) bool {
			c.Send(2, relaymsg.Msg{Cmd: relaymsg.CmdRendezvousEstablished})
			f(c)
			return true
		}
	case introducing:
		s.introduce = func(c *fakepeer.Circuit, _, _ int) bool { f(c); return false }
	case acked:
		s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, _ int) bool { f(s.waiting[r.Cookie]); return false }
	}
	return hooks
}

// A relay that says something out of turn, at any hop, gets a circuit closed at most: it is the service that the client meets, or
// nobody (C tor's bug 41297).
func TestOutOfTurn(t *testing.T) {
	random := func(n int) []byte { return must(hex.DecodeString(fmt.Sprintf("%0*x", 2*n, 0x1234567890abcdef))) }
	messages := map[string]relaymsg.Msg{
		"RENDEZVOUS_ESTABLISHED": {Cmd: relaymsg.CmdRendezvousEstablished},
		"RENDEZVOUS2":            {Cmd: relaymsg.CmdRendezvous2, Body: random(64)},
		"RENDEZVOUS2, empty":     {Cmd: relaymsg.CmdRendezvous2},
		"INTRODUCE_ACK":          {Cmd: relaymsg.CmdIntroduceAck, Body: []byte{0, 0, 0}},
		"INTRODUCE_ACK, refusal": {Cmd: relaymsg.CmdIntroduceAck, Body: []byte{0, 1, 0}},
		"INTRO_ESTABLISHED":      {Cmd: relaymsg.CmdIntroEstablished, Body: []byte{0}},
		"INTRODUCE2":             {Cmd: relaymsg.CmdIntroduce2, Body: random(200)},
		"INTRODUCE1":             {Cmd: relaymsg.CmdIntroduce1, Body: random(200)},
		"with a stream":          {Cmd: relaymsg.CmdRendezvousEstablished, Stream: 1},
	}
	for _, at := range []stage{atRend, asking, answered, atIntro, introducing, acked} {
		for name, m := range messages {
			last := 2
			if at == atIntro || at == introducing {
				last = 3
			}
			for hop := 1; hop <= last; hop++ {
				if hop < last && (hop > 1 || name != "RENDEZVOUS_ESTABLISHED" && name != "INTRODUCE_ACK") {
					continue
				}
				t.Run(fmt.Sprintf("%s: %s of hop %d", at, name, hop), func(t *testing.T) {
					said := make(chan struct{}, 1000)
					su := setup{hooks: &fakepeer.Hooks{}}
					su.service = func(s *service) {
						*su.hooks = hostile(s, at, func(c *fakepeer.Circuit) { said <- struct{}{}; c.Send(hop, m) })
					}
					run(t, su, func(b *bed) {
						l, err := b.open("alice", time.Minute)
						if len(said) == 0 {
							b.Error("nothing was said")
						}
						if err == nil {
							b.honest(l)
						}
					})
				})
			}
		}
	}
}

// honest checks that what a client has is a circuit to the service, or one that is broken.
func (b *bed) honest(l Lease) {
	b.Helper()
	synctest.Wait()
	s, err := l.Tunnel.Connect(must(relaymsg.NewBegin("", 80, 0)))
	if err != nil {
		return
	}
	defer s.Close()
	if s.Wait(b.Context()) == nil && len(b.service.saw().targets) == 0 {
		b.Error("a stream that is not the service's")
	}
}

// Points of low order are no answer of a service, whatever comes with them.
func TestLowOrderAnswer(t *testing.T) {
	for _, key := range lowOrder {
		t.Run(hex.EncodeToString(key[:]), func(t *testing.T) {
			run(t, setup{service: func(s *service) {
				s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, _ int) bool {
					reply, _ := must2(r.Reply(crand.Reader))
					reply.Y = key
					s.waiting[r.Cookie].Send(2, relaymsg.Msg{Cmd: relaymsg.CmdRendezvous2, Body: must(reply.AppendTo(nil))})
					return true
				}
			}}, func(b *bed) {
				_, err := b.open("alice", 10*time.Minute)
				b.wantReason(err, RendFailed)
			})
		})
	}
}

// Introduction points with keys of low order are of no use, and do no harm to the good one beside them.
func TestLowOrderKeys(t *testing.T) {
	for i, key := range lowOrder[1:] { // nobody can write the first one, see package hsdesc
		for _, good := range []int{0, 1} {
			for name, set := range map[string]func(s *service, i int){
				"encryption key": func(s *service, i int) { s.inner.Points[i].EncKey = key },
				"onion key": func(s *service, i int) {
					s.inner.Points[i].OnionKey = key
					s.extend = func(c *fakepeer.Circuit, hop int, body []byte) bool {
						weak := bytes.Contains(body, key[:])
						if weak { // an honest relay has no such key
							c.Destroy(cell.DestroyProtocol)
						}
						return weak
					}
				},
			} {
				if i > 1 && (good == 0 || name == "onion key") {
					continue // nothing but the key is new
				}
				t.Run(fmt.Sprintf("%s %x, %d good", name, key, good), func(t *testing.T) {
					run(t, setup{service: func(s *service) {
						for i := range introPoints - good {
							set(s, i)
						}
					}}, func(b *bed) {
						l, err := b.open("alice", 5*time.Minute)
						if good > 0 {
							if err != nil {
								b.Fatal(err)
							}
							b.echo(l)
							return
						}
						b.wantReason(err, IntroFailed)
						if n := b.service.saw().introduced; len(n) > 0 {
							b.Errorf("introductions at %v", n)
						}
					})
				})
			}
		}
	}
}

// Answers to an introduction that are malformed, or come again, lead on to another point at most.
func TestBadAcks(t *testing.T) {
	for name, bodies := range map[string][][]byte{
		"empty":                {nil},
		"cut short":            {{0}},
		"no extensions":        {{0, 0}},
		"cut extensions":       {{0, 0, 1}},
		"many extensions":      {{0, 0, 255, 1, 1, 1}},
		"bytes behind":         {append([]byte{0, 1, 0}, make([]byte, 300)...)},
		"unknown status":       {{0x12, 0x34, 0}},
		"twice":                {{0, 0, 0}, {0, 0, 0}},
		"refusal, then praise": {{0, 1, 0}, {0, 0, 0}},
		"praise, then refusal": {{0, 0, 0}, {0, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, setup{service: func(s *service) {
				s.introduce = func(c *fakepeer.Circuit, _, n int) bool {
					for _, body := range bodies {
						if n == 0 {
							c.Send(3, relaymsg.Msg{Cmd: relaymsg.CmdIntroduceAck, Body: body})
						}
					}
					return n == 0
				}
			}}, func(b *bed) {
				b.echo(must(b.open("alice", 5*time.Minute)))
			})
		})
	}
}

// An introduction point that closes the circuit as soon as it has answered has answered nevertheless.
func TestAckAndClose(t *testing.T) {
	for range 10 { // whichever comes first
		run(t, setup{service: func(s *service) {
			s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, _ int) bool {
				s.intro.Destroy(cell.DestroyFinished)
				return false
			}
		}}, func(b *bed) {
			b.echo(must(b.open("alice", time.Minute)))
			if n := b.service.saw().introduced; len(n) != 1 {
				b.Errorf("introductions at %v", n)
			}
		})
	}
}
