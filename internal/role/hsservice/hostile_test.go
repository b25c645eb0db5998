package hsservice

import (
	"bytes"
	crand "crypto/rand"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/crypt/hspow"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// at lets an introduction point say something, and tells whether a client was met then.
func (b *bed) at(c *fakeCircuit, body []byte) bool {
	b.t.Helper()
	before := b.meetings()
	if err := c.say(relaymsg.CmdIntroduce2, body); err != nil {
		b.t.Errorf("introduction closes the circuit: %v", err)
	}
	time.Sleep(time.Second)
	return b.meetings() > before
}

// An introduction that ends anywhere, or in which any bit is another, leads to nothing.
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func TestMangledIntroductions(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		v := b.visitor()
		body := v.body()
		var point *fakeCircuit
		for _, c := range b.points() {
			if c.auth == v.at.AuthKey {
				point = c
			}
		}
		say := func(body []byte) {
			if err := point.say(relaymsg.CmdIntroduce2, body); err != nil {
				t.Errorf("introduction closes the circuit: %v", err)
			}
			synctest.Wait()
		}
		for n := range body {
			say(body[:n])
		}
		for i := range body {
			changed := bytes.Clone(body)
			changed[i] ^= 1 << (i % 8)
			say(changed)
		}
		time.Sleep(time.Minute)
		if n := b.meetings(); n != 0 {
			t.Errorf("%d clients were met", n)
		}
		if n := b.s.dropped.Load(); n != uint64(2*len(body)) {
			t.Errorf("%d introductions are dropped of %d", n, 2*len(body))
		}
		if !b.at(point, body) {
			t.Error("the true one does not lead to anything any more")
		}
	})
}

// An introduction is good once, whatever introduction point repeats it, and when.
func TestRepeatedIntroductions(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		v := b.visitor()
		body := v.body()
		if !v.introduce(body) {
			t.Fatal("the client was not met")
		}
		if v.introduce(body) {
			t.Error("repeated at the same introduction point")
		}
		for _, c := range b.points() {
			if b.at(c, body) {
				t.Error("repeated at another introduction point")
			}
		}
		for _, c := range b.points() { // lost, and made again with the same keys
			c.Close()
		}
		time.Sleep(5 * time.Second)
		for _, c := range b.points() {
			if b.at(c, body) {
				t.Error("repeated after circuits were lost")
			}
		}
		old := b.auths()
		b.owner(func() {
			for _, p := range b.s.points {
				p.expires = time.Now()
			}
		})
		b.s.wake()
		time.Sleep(20 * time.Second)
		now := b.points()
		if len(now) <= 3 || !slices.ContainsFunc(now, func(c *fakeCircuit) bool { return !slices.Contains(old, c.auth) }) {
			t.Fatalf("%d introduction points", len(now))
		}
		for _, c := range now {
			if b.at(c, body) {
				t.Error("repeated while introduction points are replaced")
			}
		}
		time.Sleep(lingerTime)
		for _, c := range b.points() {
			if b.at(c, body) {
				t.Error("repeated after introduction points were replaced")
			}
		}
		if v := b.visitor(); !v.introduce(v.body()) {
			t.Error("another client was not met")
		}
	})
}

// Extensions that nobody knows are left alone, and as many of them as fit.
func TestUnknownExtensions(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		var many circext.List
		for i := range 60 {
			many = append(many, circext.Extension{Type: uint8(100 + i)})
		}
		for _, exts := range []circext.List{
			{{Type: 99, Body: []byte("hello")}},
			{{Type: 98}, {Type: 99}},
			{{Type: circext.TypeProofOfWork, Body: []byte{1}}}, // no proof is asked for
			many,
		} {
			v := b.visitor()
			v.msg.Exts = exts
			if !v.introduce(v.body()) {
				t.Errorf("%d extensions: the client was not met", len(exts))
			}
		}
	})
}

// A rendezvous point that is not who the client says, or does not answer, costs a few circuits and nothing else.
func TestLyingRendezvous(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		b.locked(func() {
			b.fail = func(h circuit.Hop) error {
				if h.NTor == [32]byte{9, 9} {
					return errGone
				}
				return nil
			}
		})
		before := 0
		b.locked(func() { before = b.builds })
		for range 20 {
			if v := b.visitor(); v.introduce(v.body()) {
				t.Error("met")
			}
		}
		time.Sleep(meetTime)
		b.locked(func() {
			if n := b.builds - before; n > 20*3 {
				t.Errorf("%d circuits for 20 clients", n)
			}
		})
		b.owner(func() {
			if b.s.meetings != 0 {
				t.Errorf("%d meetings go on", b.s.meetings)
			}
		})
	})
}

// A relay that answers before it was asked is no introduction point, and what it passes on is not looked at (as with C tor's bug
// 41297).
func TestEarlyPoint(t *testing.T) {
	for name, say := range map[string]func(c *fakeCircuit) error{
		"INTRO_ESTABLISHED": func(c *fakeCircuit) error { return c.say(relaymsg.CmdIntroEstablished, []byte{0}) },
		"INTRODUCE2":        func(c *fakeCircuit) error { return c.say(relaymsg.CmdIntroduce2, make([]byte, 200)) },
		"INTRODUCE_ACK":     func(c *fakeCircuit) error { return c.say(relaymsg.CmdIntroduceAck, []byte{0, 0, 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, Settings{}, func(b *bed) {
				time.Sleep(20 * time.Second)
				said := 0
				b.locked(func() {
					b.early = func(c *fakeCircuit) {
						said++
						if say(c) == nil {
							t.Error("no error")
						}
					}
				})
				b.points()[0].Close()
				time.Sleep(500 * time.Millisecond)
				b.locked(func() { b.early = nil })
				if said == 0 {
					t.Error("nothing was said")
				}
				time.Sleep(20 * time.Second)
				if n := len(b.points()); n != 3 {
					t.Errorf("%d introduction points a moment later", n)
				}
			})
		})
	}
}

// What is remembered of introductions has a bound, even if the introduction point cannot be replaced.
func TestOvertime(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		v := b.visitor()
		b.locked(func() { b.fail = func(circuit.Hop) error { return errGone } })
		var p *point
		b.owner(func() {
			for _, p = range b.s.points {
				if p.keys.AuthKey == v.at.AuthKey {
					p.left.Store(5 - maxOvertime)
					return
				}
			}
		})
		for range 20 {
			v.introduce(v.body())
			v.eph = must(hsntor.NewClient(crand.Reader))
		}
		p.replays.mu.Lock()
		defer p.replays.mu.Unlock()
		if n := len(p.replays.seen); n < 1 || n > 6 {
			t.Errorf("%d introductions are remembered", n)
		}
	})
}

// proof makes a proof of work for the descriptor of now.
func (b *bed) proof(effort uint32) circext.Extension {
	b.t.Helper()
	in, sub, err := b.descriptor(nil)
	if err != nil || in.PoW == nil {
		b.t.Fatalf("no proof of work is asked for: %v", err)
	}
	var blinded [32]byte
	b.owner(func() {
		for _, d := range b.s.descs {
			if d.subcredential == sub {
				blinded = d.blinded.ID()
			}
		}
	})
	var nonce [16]byte
	crand.Read(nonce[:])
	solver := hspow.NewSolver(nil)
	solver.Start(blinded, in.PoW.Seed, effort, nonce)
	p, ok := solver.Step(100_000)
	if !ok {
		b.t.Fatal("no proof")
	}
	return p.Extension()
}

// A flood of introductions without proof of work does not keep those away who pay, costs bounded memory, and makes the service ask
// for more.
//
// https://spec.torproject.org/hspow-spec/common-protocol.html
func TestIntroductionFlood(t *testing.T) {
	const rate, burst, flood = 10, 20, 1000
	run(t, Settings{PoW: &PoW{Rate: rate, Burst: burst}}, func(b *bed) {
		time.Sleep(20 * time.Second)
		lie := b.visitor() // claims an effort that it has not made
		paid := b.proof(1)
		proof, err := circext.ParseProofOfWork(paid.Body)
		if err != nil {
			t.Fatal(err)
		}
		proof.Effort = 1 << 31
		lie.msg.Exts = circext.List{proof.Extension()}
		if lie.introduce(lie.body()) {
			t.Error("a lie about the effort is believed")
		}
		most := 0
		v := b.visitor()
		began := time.Now()
		var point *fakeCircuit
		for _, c := range b.points() {
			if c.auth == v.at.AuthKey {
				point = c
			}
		}
		introduce := func() {
			v.eph = must(hsntor.NewClient(crand.Reader))
			crand.Read(v.msg.Cookie[:])
			point.say(relaymsg.CmdIntroduce2, v.body())
		}
		for i := range flood {
			introduce()
			if i%100 == 99 {
				synctest.Wait()
				b.owner(func() { most = max(most, len(b.s.queue.heap)) })
			}
		}
		if n := b.s.dropped.Load(); n > 1 { // the lie
			t.Errorf("%d introductions are lost before anybody has looked at them", n)
		}
		if high := burst + rate*int(2*meetTime/time.Second); most > high {
			t.Errorf("%d clients wait, %d at most", most, high)
		}
		payer := b.visitor()
		payer.msg.Exts = circext.List{paid}
		met := len(b.met)
		payer.introduce(payer.body())
		found := false
		b.locked(func() {
			for _, m := range b.met[met:] {
				r, err := relaymsg.ParseRendezvous1(m.First.Body)
				found = found || err == nil && r.Cookie == payer.msg.Cookie
			}
		})
		if !found {
			t.Error("a client that has paid was not met within a second")
		}
		t.Logf("%d introductions in %v of virtual time; at most %d waited", flood, time.Since(began), most)
		time.Sleep(maxAge + time.Second)
		if n := b.meetings(); n > burst+rate*(int(maxAge/time.Second)+10) {
			t.Errorf("%d clients were met", n)
		}
		b.owner(func() {
			if n := len(b.s.queue.heap); n > 0 {
				t.Errorf("%d clients wait still", n)
			}
		})
		// It comes again when the service looks at the effort that it asks for.
		time.Sleep(effortPeriod - 40*time.Second)
		for range 30 {
			for range 50 {
				introduce()
			}
			time.Sleep(2 * time.Second)
			if in, _, err := b.descriptor(nil); err == nil && in.PoW.Effort > 0 {
				t.Logf("the suggested effort is %d after %v", in.PoW.Effort, time.Since(began))
				return
			}
		}
		t.Error("no effort is asked for")
	})
}

// BenchmarkIntroductions is what a flood costs the service: each is opened, and its sender put into the queue or thrown out.
func BenchmarkIntroductions(b *testing.B) {
	for _, tt := range []struct {
		name string
		good bool
	}{{"good", true}, {"forged", false}} {
		b.Run(tt.name, func(b *testing.B) {
			key := keyfile.GenerateEd()
			s, err := New(Config{Env: env.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}, Key: key})
			if err != nil {
				b.Fatal(err)
			}
			go func() { // the owner
				for f := range s.msgs {
					f(time.Now())
				}
			}()
			defer close(s.msgs)
			p := &point{keys: hsntor.Point{AuthKey: key.ID(), Enc: must(x25519.Generate(crand.Reader))}}
			s.keys.Store(&keys{subcredentials: [][32]byte{{1}, {2}}})
			v := &visitor{at: hsntor.Intro{AuthKey: key.ID(), EncKey: p.keys.Enc.Public()}, sub: [32]byte{2}}
			v.msg = relaymsg.IntroducePlaintext{OnionKey: [32]byte{9}, Specs: linkspec.Set{RSA: netdirtest.ID(7), HasRSA: true, Addrs: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:9001")}}.Specs()}
			bodies := make([][]byte, 2000)
			for i := range bodies {
				v.eph = must(hsntor.NewClient(crand.Reader))
				crand.Read(v.msg.Cookie[:])
				bodies[i] = must(v.eph.Introduce(v.at, v.sub, v.msg))
				if !tt.good {
					bodies[i][len(bodies[i])-1] ^= 1
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i%len(bodies) == 0 {
					p.replays.seen, s.cookies.new, s.cookies.old = nil, nil, nil
				}
				if err := s.judge(introduction{p, bodies[i%len(bodies)]}); (err == nil) != tt.good {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
