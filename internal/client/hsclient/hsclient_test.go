package hsclient

import (
	"context"
	crand "crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/crypt/hspow"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A service is found, and met over circuits of the right length; streams share them as their isolation lets them.
//
// https://spec.torproject.org/rend-spec/
func TestOpen(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		first, err := b.open("alice", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		b.echo(first)
		again, err := b.open("alice", time.Minute)
		if err != nil || again.Circ != first.Circ || !first.Fresh || again.Fresh {
			b.Errorf("circuits %+v and %+v, %v", first, again, err)
		}
		b.echo(again)
		other, err := b.open("bob", time.Minute)
		if err != nil || other.Circ == first.Circ {
			b.Errorf("circuits %+v and %+v, %v", first, other, err)
		}
		b.echo(other)
		s := b.service.saw()
		if s.fetches != 1 || len(s.introduced) != 2 {
			b.Errorf("%d fetches, introductions %v", s.fetches, s.introduced)
		}
		if s.requests[0].Cookie == s.requests[1].Cookie {
			b.Error("a cookie is used twice")
		}
		for msg, hops := range map[string]int{"BEGIN_DIR": 4, "INTRODUCE1": 4, "ESTABLISH_RENDEZVOUS": 3} {
			if s.hops[msg] != hops {
				b.Errorf("%s over %d hops, want %d", msg, s.hops[msg], hops)
			}
		}
		for _, target := range s.targets {
			if target != ":80" {
				b.Errorf("the service was asked for %q", target)
			}
		}
	})
}

// Requests that come at once share one search and one meeting.
func TestOpenAtOnce(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		leases := make(chan Lease, 5)
		for range 5 {
			go func() {
				l, err := b.open("alice", time.Minute)
				if err != nil {
					b.Error(err)
				}
				leases <- l
			}()
		}
		fresh := 0
		for range 5 {
			if l := <-leases; l.Fresh {
				fresh++
			}
		}
		if fresh != 1 || b.service.saw().fetches != 1 || len(b.service.saw().introduced) != 1 {
			b.Errorf("%d fresh circuits, %d fetches, %d introductions", fresh, b.service.saw().fetches, len(b.service.saw().introduced))
		}
	})
}

// The circuit stays as long as it is used, and takes no new streams after its time.
func TestDirtiness(t *testing.T) {
	run(t, setup{config: func(c *Config) { c.MaxDirtiness = time.Minute }}, func(b *bed) {
		first := must(b.open("alice", time.Minute))
		for range 3 {
			time.Sleep(45 * time.Second)
			if l := must(b.open("alice", time.Minute)); l.Circ != first.Circ {
				b.Fatal("a circuit in use was given up")
			}
		}
		s := must(first.Tunnel.Connect(must(relaymsg.NewBegin("", 80, 0))))
		time.Sleep(2 * time.Minute)
		if l := must(b.open("alice", time.Minute)); l.Circ == first.Circ {
			b.Error("an old circuit takes new streams")
		}
		if err := s.Wait(b.Context()); err != nil {
			b.Errorf("a stream was lost: %v", err)
		}
		s.Close()
		time.Sleep(time.Minute)
		if first.Tunnel.Streams() != 0 {
			b.Error("a stream is left")
		}
		if _, err := first.Tunnel.Connect(must(relaymsg.NewBegin("", 80, 0))); err == nil {
			b.Error("the circuit is still there")
		}
	})
}

// A new identity shares nothing with the one before.
func TestNewIdentity(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		first := must(b.open("alice", time.Minute))
		b.NewIdentity()
		second := must(b.open("alice", time.Minute))
		if second.Circ == first.Circ || b.service.saw().fetches != 2 {
			b.Errorf("circuits %d and %d, %d fetches", first.Circ, second.Circ, b.service.saw().fetches)
		}
		b.Retire(second.Circ)
		if third := must(b.open("alice", time.Minute)); third.Circ == second.Circ {
			b.Error("a retired circuit takes new streams")
		}
	})
}

// While there is no directory, requests wait for it.
func TestNoDirectory(t *testing.T) {
	run(t, setup{none: true}, func(b *bed) {
		_, err := b.open("alice", time.Second)
		if !errors.Is(err, circmgr.ErrNoDirectory) || !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("error %v", err)
		}
		time.AfterFunc(time.Second, func() { b.dir.set(newView(time.Now())) })
		b.echo(must(b.open("alice", time.Minute)))
	})
}

// Descriptors come from whichever directory has them.
func TestFetch(t *testing.T) {
	garbage := func(_ int, text []byte) []byte { text[len(text)/2] ^= 1; return text }
	for _, tt := range []struct {
		name    string
		dir     func(int, []byte) []byte
		fetches int // 0: any number
		want    Reason
	}{
		{"the first has none", func(n int, text []byte) []byte {
			if n == 0 {
				return nil
			}
			return text
		}, 2, 0},
		{"the first two have garbage", func(n int, text []byte) []byte {
			if n < 2 {
				return garbage(n, text)
			}
			return text
		}, 3, 0},
		{"none has any", func(int, []byte) []byte { return nil }, 0, NotFound},
		{"all have garbage", garbage, 0, Invalid},
		{"that of another service", func(_ int, _ []byte) []byte { return newService().descriptor() }, 0, Invalid},
		{"too long", func(_ int, text []byte) []byte { return append(text, make([]byte, 60000)...) }, 0, NotFound},
		{"empty", func(int, []byte) []byte { return []byte{} }, 0, Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{service: func(s *service) { s.dir = tt.dir }}, func(b *bed) {
				l, err := b.open("alice", time.Minute)
				if tt.want == 0 && err == nil {
					b.echo(l)
				} else {
					b.wantReason(err, tt.want)
				}
				if n := b.service.saw().fetches; tt.fetches != 0 && n != tt.fetches || n < 1 || n > 6 {
					b.Errorf("%d fetches", n)
				}
			})
		})
	}
}

// A directory that has failed us is left in peace, until all have.
func TestFetchAgain(t *testing.T) {
	run(t, setup{service: func(s *service) { s.dir = func(int, []byte) []byte { return nil } }}, func(b *bed) {
		_, err := b.open("alice", time.Minute)
		b.wantReason(err, NotFound)
		all := b.service.saw().fetches
		b.service.mu.Lock()
		b.service.dir = nil
		b.service.mu.Unlock()
		b.echo(must(b.open("alice", time.Minute)))
		if n := b.service.saw().fetches; n != all+1 {
			b.Errorf("%d fetches more", n-all)
		}
	})
}

// Services that know their clients let in who has the key.
//
// https://spec.torproject.org/rend-spec/client-auth-mgt.html
func TestClientAuth(t *testing.T) {
	secret, other := [32]byte{15: 1}, [32]byte{15: 2}
	for _, tt := range []struct {
		name string
		keys [][32]byte
		want Reason
	}{
		{"known", [][32]byte{secret}, 0},
		{"unknown", [][32]byte{other}, BadAuth},
		{"none", nil, MissingAuth},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var su setup
			su.clients = [][32]byte{x25519.FromSecret(&secret).Public()}
			var addr *service
			su.service = func(s *service) { addr = s }
			su.config = func(c *Config) {
				for _, k := range tt.keys {
					c.Auth = append(c.Auth, must(keyfile.NewClientAuth(addr.addr, k)))
				}
			}
			run(t, su, func(b *bed) {
				l, err := b.open("alice", time.Minute)
				if tt.want == 0 && err == nil {
					b.echo(l)
				} else {
					b.wantReason(err, tt.want)
				}
				if b.service.saw().fetches != 1 {
					b.Errorf("%d fetches: another directory knows no better", b.service.saw().fetches)
				}
			})
		})
	}
}

// Introduction points that refuse, or do not answer, or go away are followed by others.
func TestIntroductions(t *testing.T) {
	refuse := func(c *fakepeer.Circuit, _, _ int) bool {
		ack(c, c.Hops()-1, relaymsg.IntroduceUnknownID)
		return true
	}
	silent := func(*fakepeer.Circuit, int, int) bool { return true }
	gone := func(c *fakepeer.Circuit, _, _ int) bool { c.Destroy(1); return true }
	first := func(f func(*fakepeer.Circuit, int, int) bool) func(*fakepeer.Circuit, int, int) bool {
		return func(c *fakepeer.Circuit, point, n int) bool { return n == 0 && f(c, point, n) }
	}
	for _, tt := range []struct {
		name      string
		introduce func(c *fakepeer.Circuit, point, n int) bool
		limit     time.Duration
		want      Reason
		points    int // introductions; 0: any number
	}{
		{"the first refuses", first(refuse), 10 * time.Second, 0, 2},
		{"the first is silent", first(silent), time.Minute, 0, 2},
		{"the first goes away", first(gone), 10 * time.Second, 0, 2},
		{"all refuse", refuse, time.Minute, IntroFailed, introPoints},
		{"all are silent", silent, 5 * time.Minute, IntroTimedOut, introPoints},
		{"all go away", gone, 5 * time.Minute, IntroFailed, 0},
		{"the time is over before", silent, 50 * time.Second, IntroTimedOut, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{service: func(s *service) { s.introduce = tt.introduce }}, func(b *bed) {
				l, err := b.open("alice", tt.limit)
				if tt.want == 0 && err == nil {
					b.echo(l)
				} else {
					b.wantReason(err, tt.want)
				}
				if n := b.service.saw().introduced; tt.points != 0 && len(n) != tt.points || len(n) > 1 && n[0] == n[1] && !strings.Contains(tt.name, "away") {
					b.Errorf("introductions at %v", n)
				}
			})
		})
	}
}

// A refused introduction goes on from where it was, and to the same rendezvous.
func TestRefusedGoesOn(t *testing.T) {
	run(t, setup{service: func(s *service) {
		s.introduce = func(c *fakepeer.Circuit, _, n int) bool {
			if n == 0 {
				ack(c, c.Hops()-1, relaymsg.IntroduceBadFormat)
			}
			return n == 0
		}
	}}, func(b *bed) {
		b.echo(must(b.open("alice", time.Minute)))
		if b.service.saw().hops["INTRODUCE1"] != 5 || len(b.service.saw().waiting) != 1 {
			b.Errorf("the second introduction came over %d hops, and there were %d rendezvous", b.service.saw().hops["INTRODUCE1"], len(b.service.saw().waiting))
		}
	})
}

// A service that does not come is tried again, and not for ever.
func TestAbsent(t *testing.T) {
	for _, tt := range []struct {
		name string
		away int // times
		want Reason
	}{{"once", 1, 0}, {"always", 100, RendFailed}} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{service: func(s *service) {
				s.meet = func(_ *fakepeer.Circuit, _ *hsntor.Request, n int) bool { return n < tt.away }
			}}, func(b *bed) {
				l, err := b.open("alice", 10*time.Minute)
				if tt.want == 0 && err == nil {
					b.echo(l)
				} else {
					b.wantReason(err, tt.want)
				}
				if n := len(b.service.saw().introduced); n > maxMeetings || n != len(b.service.saw().waiting) {
					b.Errorf("%d introductions, %d rendezvous", n, len(b.service.saw().waiting))
				}
			})
		})
	}
}

// Nobody can answer in place of the service, whatever the rendezvous point says and when (C tor's bug 41297).
func TestHostileRendezvous(t *testing.T) {
	forged := func() []byte { // what a rendezvous point without any key can make
		var b [64]byte
		crand.Read(b[:])
		return b[:]
	}
	send := func(c *fakepeer.Circuit, cmd relaymsg.Command, body []byte) {
		c.Send(2, relaymsg.Msg{Cmd: cmd, Body: body})
	}
	for _, tt := range []struct {
		name string
		set  func(s *service)
	}{
		{"established twice", func(s *service) {
			s.ask = func(c *fakepeer.Circuit, _ [20]byte) bool {
				send(c, relaymsg.CmdRendezvousEstablished, nil)
				return false
			}
		}},
		{"RENDEZVOUS2 instead of the answer", func(s *service) {
			s.ask = func(c *fakepeer.Circuit, _ [20]byte) bool { send(c, relaymsg.CmdRendezvous2, forged()); return true }
		}},
		{"RENDEZVOUS2 before the introduction", func(s *service) {
			s.ask = func(c *fakepeer.Circuit, _ [20]byte) bool {
				send(c, relaymsg.CmdRendezvousEstablished, nil)
				send(c, relaymsg.CmdRendezvous2, forged())
				return true
			}
		}},
		{"forged", func(s *service) {
			s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, _ int) bool {
				send(s.waiting[r.Cookie], relaymsg.CmdRendezvous2, forged())
				return true
			}
		}},
		{"zero key", func(s *service) {
			s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, _ int) bool {
				send(s.waiting[r.Cookie], relaymsg.CmdRendezvous2, make([]byte, 64))
				return true
			}
		}},
		{"too short", func(s *service) {
			s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, _ int) bool {
				send(s.waiting[r.Cookie], relaymsg.CmdRendezvous2, make([]byte, 63))
				return true
			}
		}},
		{"changed", func(s *service) {
			s.meet = func(_ *fakepeer.Circuit, r *hsntor.Request, _ int) bool {
				reply, _ := must2(r.Reply(crand.Reader))
				reply.Auth[31] ^= 1
				send(s.waiting[r.Cookie], relaymsg.CmdRendezvous2, must(reply.AppendTo(nil)))
				return true
			}
		}},
		{"answer of an introduction point", func(s *service) {
			s.ask = func(c *fakepeer.Circuit, _ [20]byte) bool { ack(c, 2, relaymsg.IntroduceOK); return true }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, setup{service: tt.set}, func(b *bed) {
				_, err := b.open("alice", 10*time.Minute)
				b.wantReason(err, RendFailed)
			})
		})
	}
	t.Run("RENDEZVOUS2 twice", func(t *testing.T) {
		run(t, setup{}, func(b *bed) {
			l := must(b.open("alice", time.Minute))
			for _, c := range b.service.saw().waiting {
				send(c, relaymsg.CmdRendezvous2, forged())
			}
			synctest.Wait()
			time.Sleep(time.Second)
			if _, err := l.Tunnel.Connect(must(relaymsg.NewBegin("", 80, 0))); err == nil {
				b.Error("the circuit lives on")
			}
		})
	})
	t.Run("answer to no introduction", func(t *testing.T) {
		run(t, setup{service: func(s *service) {
			s.introduce = func(c *fakepeer.Circuit, _, n int) bool {
				if n == 0 { // the second answer comes when no introduction is out
					ack(c, 3, relaymsg.IntroduceUnknownID)
					ack(c, 3, relaymsg.IntroduceUnknownID)
				}
				return n == 0
			}
		}}, func(b *bed) {
			b.echo(must(b.open("alice", time.Minute)))
			if b.service.saw().hops["INTRODUCE1"] != 4 {
				b.Error("a circuit whose relay has answered twice was used again")
			}
		})
	})
}

// A service that hears of us from a point that has denied it may come, and nothing breaks.
func TestLyingPoint(t *testing.T) {
	run(t, setup{service: func(s *service) {
		s.introduce = func(c *fakepeer.Circuit, point, n int) bool {
			if n > 0 {
				return false
			}
			ack(c, c.Hops()-1, relaymsg.IntroduceUnknownID)
			return true
		}
	}}, func(b *bed) {
		b.echo(must(b.open("alice", time.Minute)))
	})
}

// Weak keys in a descriptor are a failure of their introduction point.
func TestWeakEncKey(t *testing.T) {
	run(t, setup{service: func(s *service) {
		for i := range s.inner.Points {
			s.inner.Points[i].EncKey = [32]byte{1} // of low order
		}
	}}, func(b *bed) {
		_, err := b.open("alice", time.Minute)
		b.wantReason(err, IntroFailed)
		if len(b.service.saw().introduced) != 0 {
			b.Error("an introduction was encrypted to a weak key")
		}
	})
}

// Proofs of work are made as the descriptor asks, and better ones if the service has not come.
//
// https://spec.torproject.org/hspow-spec/
func TestProofOfWork(t *testing.T) {
	var verifier *hspow.Verifier
	run(t, setup{service: func(s *service) {
		verifier = must(hspow.NewVerifier(crand.Reader, s.keys.blinded))
		s.inner.PoW = &hsdesc.PoWParams{Seed: verifier.Seed(), Effort: 2, Expires: time.Now().Add(time.Hour)}
		s.meet = func(_ *fakepeer.Circuit, _ *hsntor.Request, n int) bool { return n == 0 }
	}}, func(b *bed) {
		b.echo(must(b.open("alice", 2*time.Minute)))
		for i, effort := range []uint32{2, 8} {
			body, ok := b.service.saw().requests[i].Exts.Get(circext.TypeProofOfWork)
			if !ok {
				b.Fatalf("introduction %d without a proof", i)
			}
			p := must(circext.ParseProofOfWork(body))
			if err := verifier.Check(p); err != nil || p.Effort != effort {
				b.Errorf("proof %d of effort %d, want %d: %v", i, p.Effort, effort, err)
			}
		}
	})
}

// What a proof is for does not live for ever.
func TestExpiredWork(t *testing.T) {
	run(t, setup{service: func(s *service) {
		s.inner.PoW = &hsdesc.PoWParams{Expires: time.Now().Add(time.Hour)}
	}}, func(b *bed) {
		must(b.open("alice", time.Minute))
		time.Sleep(2 * time.Hour)
		must(b.open("bob", time.Minute))
		if b.service.saw().fetches != 2 {
			b.Errorf("%d fetches, want 2", b.service.saw().fetches)
		}
		if _, ok := b.service.saw().requests[0].Exts.Get(circext.TypeProofOfWork); ok {
			b.Error("a proof that nobody wants")
		}
	})
}
