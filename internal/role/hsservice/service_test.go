package hsservice

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/hspow"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/netstate/hsdirs"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A client finds the descriptor, introduces itself, and is met where it said, with the keys that it derives.
func TestMeet(t *testing.T) {
	run(t, Settings{Points: 4}, func(b *bed) {
		time.Sleep(20 * time.Second)
		if ok, text := b.s.Status(); !ok {
			t.Fatal(text)
		}
		<-b.s.Up()
		if n := len(b.points()); n != 4 {
			t.Errorf("%d introduction points", n)
		}
		for _, c := range b.points() {
			if c.hop.RSA == netdirtest.ID(1) {
				t.Error("a relay for middles alone is an introduction point")
			}
		}
		v := b.visitor()
		if !v.introduce(v.body()) {
			t.Fatal("the client was not met")
		}
		if b.metAt[0].RSA != netdirtest.ID(7) || b.metAt[0].NTor != v.msg.OnionKey {
			t.Errorf("met at %+v", b.metAt[0])
		}
		r1, err := relaymsg.ParseRendezvous1(b.met[0].First.Body)
		if err != nil || r1.Cookie != v.msg.Cookie {
			t.Fatal(err, r1.Cookie)
		}
		r2, err := relaymsg.ParseRendezvous2(r1.Handshake)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := v.eph.Finish(v.at, r2)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := keys.Expand(64), b.met[0].Keys.Expand(64); !slices.Equal(a, b) {
			t.Errorf("keys %x and %x", a, b)
		}
		if b.met[0].CC != nil {
			t.Error("congestion control that nobody asked for")
		}
		v = b.visitor()
		v.msg.Exts = circext.List{circext.CCRequest()}
		if !v.introduce(v.body()) || b.met[1].CC == nil || b.met[1].Inc != b.met[1].CC.Inc {
			t.Error("no congestion control, though the client asked for it")
		}
	})
}

// What clients can say wrongly leads to nothing, and does not disturb others.
func TestHostileIntroductions(t *testing.T) {
	zero := make([]byte, 32)
	lowOrder, _ := hex.DecodeString("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
	withKey := func(key []byte) func(*visitor) []byte {
		return func(v *visitor) []byte {
			body := v.body()
			m, err := relaymsg.ParseIntroduce(body)
			if err != nil {
				t.Fatal(err)
			}
			copy(m.Encrypted, key)
			return body
		}
	}
	at := func(set linkspec.Set) func(*visitor) []byte {
		return func(v *visitor) []byte { v.msg.Specs = set.Specs(); return v.body() }
	}
	addr := func(s string) []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort(s)} }
	tests := map[string]func(v *visitor) []byte{
		"empty":               func(*visitor) []byte { return nil },
		"zeros":               func(*visitor) []byte { return make([]byte, 200) },
		"cut short":           func(v *visitor) []byte { b := v.body(); return b[:len(b)-1] },
		"longer":              func(v *visitor) []byte { return append(v.body(), 0) },
		"too long":            func(v *visitor) []byte { return append(v.body(), make([]byte, 500)...) },
		"nothing encrypted":   func(v *visitor) []byte { return v.body()[:56] },
		"MAC":                 func(v *visitor) []byte { b := v.body(); b[len(b)-1] ^= 1; return b },
		"text":                func(v *visitor) []byte { b := v.body(); b[100] ^= 1; return b },
		"other point":         func(v *visitor) []byte { b := v.body(); b[30] ^= 1; return b },
		"version 2":           func(v *visitor) []byte { b := v.body(); b[0] = 1; return b },
		"zero key":            withKey(zero),
		"key of low order":    withKey(lowOrder),
		"other subcredential": func(v *visitor) []byte { v.sub[0] ^= 1; return v.body() },
		"no address":          at(linkspec.Set{RSA: netdirtest.ID(7), HasRSA: true}),
		"no identity":         at(linkspec.Set{Addrs: addr("192.0.2.1:1"), Ed: [32]byte{1}, HasEd: true}),
		"loopback":            at(linkspec.Set{RSA: netdirtest.ID(7), HasRSA: true, Addrs: addr("127.0.0.1:9001")}),
		"private":             at(linkspec.Set{RSA: netdirtest.ID(7), HasRSA: true, Addrs: addr("10.0.0.1:9001")}),
		"private IPv6":        at(linkspec.Set{RSA: netdirtest.ID(7), HasRSA: true, Addrs: append(addr("192.0.2.1:1"), addr("[fd00::1]:1")...)}),
		"nowhere":             func(v *visitor) []byte { v.msg.Specs = nil; return v.body() },
		"no onion key":        func(v *visitor) []byte { v.msg.OnionKey = [32]byte{}; return v.body() },
		"subprotocols": func(v *visitor) []byte {
			v.msg.Exts = circext.List{{Type: circext.TypeSubprotocols, Body: []byte{2, 6}}}
			return v.body()
		},
	}
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		for name, make := range tests {
			v := b.visitor()
			if v.introduce(make(v)) {
				t.Errorf("%s: the client was met", name)
			}
		}
		if got, want := b.s.Counts(), (Counts{Introductions: uint64(len(tests)), Dropped: uint64(len(tests))}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		good := b.visitor()
		body := good.body()
		if !good.introduce(body) {
			t.Error("a good one does not lead to anything any more")
		}
		if good.introduce(body) {
			t.Error("a repeated one leads to another meeting")
		}
		again := b.visitor()
		again.msg.Cookie = good.msg.Cookie
		if again.introduce(again.body()) {
			t.Error("a repeated cookie leads to another meeting")
		}
	})
}

// What an introduction point may say depends on how far the circuit has come.
func TestHostilePoint(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		for name, say := range map[string]func(c *fakeCircuit) error{
			"established twice":       func(c *fakeCircuit) error { return c.say(relaymsg.CmdIntroEstablished, []byte{0}) },
			"rendezvous established":  func(c *fakeCircuit) error { return c.say(relaymsg.CmdRendezvousEstablished, nil) },
			"rendezvous":              func(c *fakeCircuit) error { return c.say(relaymsg.CmdRendezvous2, make([]byte, 64)) },
			"introduction of clients": func(c *fakeCircuit) error { return c.say(relaymsg.CmdIntroduceAck, []byte{0, 0}) },
		} {
			if err := say(b.points()[0]); err == nil {
				t.Errorf("%s: no error", name)
			}
			time.Sleep(5 * time.Second)
			if n := len(b.points()); n != 3 {
				t.Fatalf("%s: %d introduction points a moment later", name, n)
			}
		}
	})
}

// Circuits that end are made anew, with the same keys, so that the descriptor stays true.
func TestLostCircuits(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		before, versions := b.auths(), len(b.versions)
		for range 3 {
			for _, c := range b.points() {
				c.Close()
			}
			time.Sleep(time.Second)
			if now := b.auths(); !slices.Equal(now, before) {
				t.Errorf("introduction points %x, before %x", now, before)
			}
			time.Sleep(10 * time.Minute)
		}
		if len(b.versions) != versions {
			t.Error("another descriptor, though nothing has changed")
		}
		if ok, text := b.s.Status(); !ok {
			t.Error(text)
		}
	})
}

// A consensus that comes before the microdescriptors that belong to it does not make introduction points go (C tor's 40858), but
// one without their relays does.
func TestNewConsensus(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		before := b.auths()
		b.network(1, func(r *netdirtest.Relay) { r.NoMicrodesc = true })
		time.Sleep(time.Minute)
		if now := b.auths(); !slices.Equal(now, before) {
			t.Errorf("introduction points %x, before %x", now, before)
		}
		b.consensus(1)
		first := b.points()[0]
		b.network(1, func(r *netdirtest.Relay) {
			if netdirtest.ID(r.N) == first.hop.RSA {
				r.Flags = consensus.Valid
			}
		})
		time.Sleep(time.Minute)
		now := b.auths()
		if slices.Contains(now, first.auth) || len(now) != 3 {
			t.Errorf("%d introduction points, among them the one whose relay does not run: %v", len(now), slices.Contains(now, first.auth))
		}
	})
}

// Relays that are gone are replaced; clients learn of it soon.
func TestReplacedPoints(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		gone := map[[20]byte]bool{}
		old := b.points()
		b.mu.Lock()
		b.fail = func(h circuit.Hop) error {
			if gone[h.RSA] && h.NTor != [32]byte{9, 9} { // the rendezvous point may be one of them
				return errGone
			}
			return nil
		}
		for _, c := range old {
			gone[c.hop.RSA] = true
		}
		b.mu.Unlock()
		for _, c := range old {
			c.Close()
		}
		time.Sleep(30 * time.Second)
		for _, c := range b.points() {
			if gone[c.hop.RSA] {
				t.Error("a relay that is gone is still an introduction point")
			}
		}
		if v := b.visitor(); !v.introduce(v.body()) {
			t.Error("the service is not reachable after half a minute")
		}
	})
}

// When no circuit can be built, not many are tried.
func TestFewTries(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		b.locked(func() { b.fail = func(circuit.Hop) error { return errGone } })
		time.Sleep(time.Hour)
		synctest.Wait()
		b.locked(func() {
			if most := 12 * 2 * (3 + 2 + 3*maxFailures); b.builds > most {
				t.Errorf("%d circuits in an hour, want %d or less", b.builds, most)
			}
		})
		if ok, text := b.s.Status(); ok || text != "no introduction point yet: "+errGone.Error() {
			t.Errorf("%v, %q", ok, text)
		}
	})
}

// In a few days, all introduction points are replaced, all descriptors too, and clients always find the service.
func TestDays(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		first := b.auths()
		for hour := 1; hour <= 50; hour++ {
			time.Sleep(time.Hour)
			b.consensus(hour)
			time.Sleep(30 * time.Second)
			if n := len(b.points()); n < 3 {
				t.Errorf("hour %d: %d introduction points", hour, n)
			}
			in, _, err := b.descriptor(nil)
			if err != nil {
				t.Fatalf("hour %d: %v", hour, err)
			}
			now := b.auths()
			for _, p := range in.Points {
				if !slices.Contains(now, p.AuthCert.Key) {
					t.Errorf("hour %d: the descriptor has an introduction point that is not there", hour)
				}
			}
			if hour%12 == 0 {
				if v := b.visitor(); !v.introduce(v.body()) {
					t.Errorf("hour %d: the client was not met", hour)
				}
			}
			dirs, err := hsdirs.New(b.View(), false)
			if err != nil {
				t.Fatal(err)
			}
			one, two := dirs.Clock().Store()
			b.owner(func() {
				if len(b.s.descs) != 2 || b.s.descs[0].use != one || b.s.descs[1].use != two {
					t.Errorf("hour %d: not the descriptors of the two periods", hour)
				}
				for _, d := range b.s.descs {
					blinded := d.blinded.ID()
					for _, r := range dirs.Store(d.use, blinded) {
						if had := b.stored[r.RSA][string(blinded[:])]; len(had) == 0 {
							t.Errorf("hour %d: relay %d has no descriptor", hour, netdirtest.N(r))
						}
					}
				}
			})
		}
		for _, key := range b.auths() {
			if slices.Contains(first, key) {
				t.Error("an introduction point is more than two days old")
			}
		}
		// Two descriptors, each every hour or two, and whenever introduction points change.
		if n := len(b.versions); n < 50 || n > 170 {
			t.Errorf("%d versions of descriptors in 50 hours", n)
		}
	})
}

// Directories that refuse are asked again, later and later.
func TestRefusedUploads(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		asked := 0
		b.locked(func() {
			b.refuse = func(*netdir.Relay) error { asked++; return &dirclient.StatusError{Status: 503, Reason: "busy"} }
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if ok, text := b.s.Status(); ok || text != "3 introduction points, but no directory has a descriptor yet: directory server answered 503 \"busy\"" {
			t.Errorf("%v, %q", ok, text)
		}
		if asked < 16*5 || asked > 16*8 {
			t.Errorf("asked %d times", asked)
		}
		b.locked(func() { b.refuse = nil })
		time.Sleep(maxUploadRetry)
		if ok, text := b.s.Status(); !ok {
			t.Error(text)
		}
	})
}

// When no directory could be reached for long, and the network is back, descriptors get there soon. One that is away by itself
// costs little.
func TestLostUploads(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		asked := 0
		lose := func(lost func(*netdir.Relay) bool) {
			b.locked(func() {
				asked = 0
				b.refuse = func(r *netdir.Relay) error { // the bed holds its mutex
					if !lost(r) {
						return nil
					}
					asked++
					return errors.New("no circuit")
				}
			})
		}
		lose(func(*netdir.Relay) bool { return true })
		time.Sleep(4 * time.Hour)
		if ok, text := b.s.Status(); ok {
			t.Error(text)
		}
		b.locked(func() { b.refuse = nil })
		time.Sleep(maxLostRetry + 5*time.Second)
		if ok, text := b.s.Status(); !ok {
			t.Error(text)
		}
		var one *netdir.Relay
		lose(func(r *netdir.Relay) bool { one = cmp.Or(one, r); return one == r })
		time.Sleep(12 * time.Hour)
		b.locked(func() {
			if asked < 12 || asked > 12*2*10 {
				t.Errorf("a directory was asked %d times in 12 hours", asked)
			}
		})
	})
}

// Only clients with a key that is authorized read the descriptor; others may come and go while the service runs.
func TestClients(t *testing.T) {
	alice, bob := must(x25519.Generate(crand.Reader)), must(x25519.Generate(crand.Reader))
	opens := func(b *bed, who *x25519.KeyPair) bool { _, _, err := b.descriptor(who); return err == nil }
	run(t, Settings{Clients: [][32]byte{alice.Public()}}, func(b *bed) {
		time.Sleep(20 * time.Second)
		if !opens(b, alice) || opens(b, bob) || opens(b, nil) {
			t.Error("not for alice alone")
		}
		set := Settings{Handler: b.s.cfg.Handler}
		set.Clients = [][32]byte{bob.Public()}
		b.s.Configure(set)
		time.Sleep(20 * time.Second)
		if opens(b, alice) || !opens(b, bob) || opens(b, nil) {
			t.Error("not for bob alone, after the change")
		}
		set.Clients = nil
		b.s.Configure(set)
		time.Sleep(20 * time.Second)
		if !opens(b, nil) {
			t.Error("not for everybody, after the change")
		}
	})
}

// The service tries to reach itself as a client, and says what came of it.
func TestCheck(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		b.locked(func() { b.unreachable = errGone })
		time.Sleep(20 * time.Second)
		if _, text := b.s.Status(); text != "3 introduction points, descriptors at 16 of 16 directories" {
			t.Errorf("before: %q", text)
		}
		time.Sleep(time.Minute)
		if _, text := b.s.Status(); text != "3 introduction points, descriptors at 16 of 16 directories; but as a client we could not reach it: "+errGone.Error() {
			t.Errorf("in vain: %q", text)
		}
		b.locked(func() { b.unreachable = nil })
		time.Sleep(checkRetry)
		if _, text := b.s.Status(); text != "3 introduction points, descriptors at 16 of 16 directories; as a client we have reached it" {
			t.Errorf("after: %q", text)
		}
		time.Sleep(12 * time.Hour)
		b.locked(func() {
			if b.checks != 4 {
				t.Errorf("%d trials in half a day", b.checks)
			}
		})
	})
}

// The clients of a front end come with its subcredential, and may come in the second after the settings have changed.
func TestFrontends(t *testing.T) {
	front := keyfile.GenerateEd()
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		visit := func() bool {
			v := b.visitor()
			dirs := must(hsdirs.New(b.View(), false))
			blinded := must(hskeys.BlindPublic(front.ID(), dirs.Clock().Fetch().Period))
			v.sub = hskeys.Subcredential(front.ID(), blinded)
			return v.introduce(v.body())
		}
		if visit() {
			t.Error("a client of a service that is not a front end is met")
		}
		for range 3 {
			b.s.Configure(Settings{Handler: b.s.cfg.Handler, Frontends: []onionaddr.Address{front.ID()}})
			b.s.Configure(Settings{Handler: b.s.cfg.Handler})
		}
		b.s.Configure(Settings{Handler: b.s.cfg.Handler, Frontends: []onionaddr.Address{front.ID()}})
		time.Sleep(20 * time.Second)
		if !visit() {
			t.Error("a client of the front end is not met")
		}
		if v := b.visitor(); !v.introduce(v.body()) {
			t.Error("a client of the service itself is not met")
		}
	})
}

// ports is a Handler that notes what it gets, and accepts it.
type ports struct {
	has    []uint16
	served chan Stream
}

func (p ports) Listens(port uint16) bool { return slices.Contains(p.has, port) }
func (p ports) Serve(_ context.Context, s Stream) {
	s.Accept(relaymsg.Connected{})
	p.served <- s
}

// sender notes what a stream sends.
type sender struct {
	mu   sync.Mutex
	msgs []relaymsg.Msg
}

func (s *sender) SendMsg(m relaymsg.Msg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.msgs = append(s.msgs, m)
	return nil
}
func (s *sender) SendData(uint16, []byte) (n, cells int, err error) { return 0, 0, nil }
func (s *sender) MaxData() int                                      { return 498 }
func (s *sender) MaxCells() int                                     { return 31 }

// Streams go to the ports that the service has. Others are refused, in a way that tells little, and their circuits closed if
// nothing else is said.
func TestStreams(t *testing.T) {
	begin := func(port uint16) []byte {
		return must(must(relaymsg.NewBegin("", port, 0)).AppendTo(nil))
	}
	for _, tt := range []struct {
		name    string
		cmd     relaymsg.Command
		body    []byte
		unknown bool // ports are no reason to close the circuit
		want    relaymsg.Command
		reason  relaymsg.EndReason
		closed  bool
	}{
		{name: "port", cmd: relaymsg.CmdBegin, body: begin(80), want: relaymsg.CmdConnected},
		{name: "port of a name", cmd: relaymsg.CmdBegin, body: []byte("example.com:80\x00"), want: relaymsg.CmdConnected},
		{name: "other port", cmd: relaymsg.CmdBegin, body: begin(81), want: relaymsg.CmdEnd, reason: relaymsg.EndDone, closed: true},
		{name: "other port, tolerated", cmd: relaymsg.CmdBegin, body: begin(81), unknown: true, want: relaymsg.CmdEnd, reason: relaymsg.EndDone},
		{name: "malformed", cmd: relaymsg.CmdBegin, body: []byte("80"), want: relaymsg.CmdEnd, reason: relaymsg.EndTorProtocol},
		{name: "directory", cmd: relaymsg.CmdBeginDir, want: relaymsg.CmdEnd, reason: relaymsg.EndNotDirectory},
		{name: "look-up", cmd: relaymsg.CmdResolve, body: []byte("example.com\x00"), want: relaymsg.CmdEnd, reason: relaymsg.EndNotDirectory},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := ports{[]uint16{80}, make(chan Stream, 1)}
			run(t, Settings{Handler: h, UnknownPorts: tt.unknown}, func(b *bed) {
				var out sender
				var mu sync.Mutex
				var mux stream.Mux
				mux.Init(&out, &mu)
				mu.Lock()
				mux.AcceptLocked()
				_, err := mux.DeliverLocked([]relaymsg.Msg{{Cmd: tt.cmd, Stream: 7, Body: tt.body}}, nil)
				list := mux.TakeIncomingLocked()
				mu.Unlock()
				if err != nil || len(list) != 1 {
					t.Fatal(list, err)
				}
				closed := false
				m := &meeting{s: b.s, ctx: t.Context(), number: 3, close: func() { closed = true }}
				m.incoming(list[0])
				synctest.Wait()
				if len(out.msgs) != 1 || out.msgs[0].Cmd != tt.want || closed != tt.closed {
					t.Fatalf("sent %v, closed %v", out.msgs, closed)
				}
				if tt.want == relaymsg.CmdEnd {
					if end, err := relaymsg.ParseEnd(out.msgs[0].Body); err != nil || end.Reason != tt.reason {
						t.Errorf("%v, %v", end, err)
					}
					return
				}
				if s := <-h.served; s.Port != 80 || s.Circuit != 3 {
					t.Errorf("served %+v", s)
				}
			})
		})
	}
}

// The end of a service closes its circuits at once.
func TestEnd(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		time.Sleep(20 * time.Second)
		v := b.visitor()
		v.introduce(v.body())
		b.end()
		if n := len(b.points()); n != 0 {
			t.Errorf("%d introduction points after the end", n)
		}
	})
}

// Introduction points that can limit introductions are asked to.
func TestIntroLimits(t *testing.T) {
	want := circext.IntroDoS{Rate: 5, Burst: 6}
	run(t, Settings{IntroLimits: want}, func(b *bed) {
		time.Sleep(20 * time.Second)
		for _, c := range b.points() {
			body, _ := c.exts.Get(circext.TypeIntroDoS)
			if got, err := circext.ParseIntroDoS(body); err != nil || got != want {
				t.Errorf("got %+v, %v", got, err)
			}
		}
		b.s.Configure(Settings{Handler: b.s.cfg.Handler})
		time.Sleep(20 * time.Second)
		for _, c := range b.points() {
			if len(c.exts) > 0 {
				t.Error("limits remain after the change")
			}
		}
		if len(b.points()) != 3 {
			t.Error("introduction points are missing after the change")
		}
	})
}

// With proofs of work, a good one counts as what it is worth, and a bad one not at all; who has none comes last.
func TestProofs(t *testing.T) {
	run(t, Settings{PoW: &PoW{Rate: 250, Burst: 2500}}, func(b *bed) {
		time.Sleep(20 * time.Second)
		in, _, err := b.descriptor(nil)
		if err != nil || in.PoW == nil || in.PoW.Effort != 0 || time.Until(in.PoW.Expires) > maxSeedLife || time.Until(in.PoW.Expires) < minSeedLife-time.Minute {
			t.Fatalf("descriptor has %+v, %v", in.PoW, err)
		}
		var blinded [32]byte
		_, sub, _ := b.descriptor(nil)
		b.owner(func() {
			for _, d := range b.s.descs {
				if d.subcredential == sub {
					blinded = d.blinded.ID()
				}
			}
		})
		solver := hspow.NewSolver(nil)
		solver.Start(blinded, in.PoW.Seed, 2, [16]byte{1})
		proof, ok := solver.Step(1000)
		if !ok {
			t.Fatal("no proof")
		}
		with := func(p circext.ProofOfWork) bool {
			v := b.visitor()
			v.msg.Exts = circext.List{p.Extension()}
			return v.introduce(v.body())
		}
		bad := proof
		bad.Solution[3] ^= 1
		seed := proof
		seed.SeedHead[0] ^= 1
		if with(bad) || with(seed) {
			t.Error("a bad proof is let through")
		}
		if !with(proof) {
			t.Error("a good proof is not let through")
		}
		if with(proof) {
			t.Error("a proof is good twice")
		}
		if v := b.visitor(); !v.introduce(v.body()) {
			t.Error("without a proof, nothing happens")
		}
		time.Sleep(maxSeedLife)
		if next, _, err := b.descriptor(nil); err != nil || next.PoW.Seed == in.PoW.Seed {
			t.Errorf("the seed does not change: %v", err)
		}
	})
}

// A network that comes late, and one without relays for introduction points.
func TestNoNetwork(t *testing.T) {
	run(t, Settings{}, func(b *bed) {
		b.mu.Lock()
		b.view = (&netdirtest.Network{Relays: []netdirtest.Relay{{N: 1, Flags: netdirtest.Plain | consensus.MiddleOnly}}}).View()
		close(b.changed)
		b.changed = make(chan struct{})
		b.mu.Unlock()
		for _, c := range b.points() {
			c.Close()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if ok, text := b.s.Status(); ok || len(b.points()) != 0 {
			t.Errorf("%v, %q", ok, text)
		}
		b.consensus(2)
		time.Sleep(10 * time.Minute)
		if ok, text := b.s.Status(); !ok {
			t.Error(text)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
