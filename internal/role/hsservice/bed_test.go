package hsservice

import (
	"bytes"
	"context"
	"crypto/ed25519"
	crand "crypto/rand"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/netstate/hsdirs"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/netdir/netdirtest"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A bed is a service in a network of the imagination, with virtual time.
type bed struct {
	t   *testing.T
	s   *Service
	key *keyfile.EdSecret
	end func()

	mu          sync.Mutex // guards the fields below
	view        *netdir.View
	changed     chan struct{}
	circuits    []*fakeCircuit                // to introduction points that live, in the order of their making
	met         []circuit.VirtualHop          // clients that were met
	metAt       []circuit.Hop                 // and where
	stored      map[[20]byte]map[string][]int // versions that directories have, by blinded key
	versions    []*hsdesc.Outer               // all that were uploaded, each once
	fail        func(h circuit.Hop) error     // what comes of a circuit; may be nil
	refuse      func(dir *netdir.Relay) error // what a directory says; may be nil
	early       func(c *fakeCircuit)          // a circuit is there, and the service has said nothing yet; may be nil
	builds      int
	checks      int
	unreachable error // what clients meet with
}

// run runs f with a service that has the given settings.
func run(t *testing.T, set Settings, f func(b *bed)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, key: keyfile.GenerateEd(), changed: make(chan struct{}), stored: map[[20]byte]map[string][]int{}}
		b.consensus(0)
		if set.Handler == nil {
			set.Handler = &Forwarder{Log: slog.New(slog.DiscardHandler)}
		}
		var err error
		b.s, err = New(Config{
			Env: env.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)},
			Net: b, Select: pathsel.New(pathsel.Config{}), Rand: rand.New(rand.NewPCG(1, 2)), Key: b.key, Settings: set,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.s.Run(ctx) })
		b.end = func() { cancel(); wg.Wait() }
		f(b)
		b.end()
	})
}

// consensus gives the network one of so many hours after the beginning, with all microdescriptors.
func (b *bed) consensus(hour int) { b.network(hour, func(*netdirtest.Relay) {}) }

// network is consensus with other relays.
func (b *bed) network(hour int, edit func(*netdirtest.Relay)) {
	n := netdirtest.Network{ValidAfter: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hour) * time.Hour)}
	for i := range 20 {
		n.Relays = append(n.Relays, netdirtest.Relay{N: i + 1, Flags: netdirtest.Plain | consensus.HSDir})
	}
	n.Relays[0].Flags |= consensus.MiddleOnly
	for i := range n.Relays {
		edit(&n.Relays[i])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view = n.View()
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *bed) View() *netdir.View {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view
}

func (b *bed) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *bed) Circuit(ctx context.Context, h circuit.Hop, way Way) (Circuit, error) {
	time.Sleep(100 * time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.builds++
	if b.fail != nil {
		if err := b.fail(h); err != nil {
			return nil, err
		}
	}
	return &fakeCircuit{b: b, hop: h, done: make(chan struct{})}, nil
}

func (b *bed) Publish(ctx context.Context, dir *netdir.Relay, descriptor []byte) error {
	time.Sleep(100 * time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		if err := b.refuse(dir); err != nil {
			return err
		}
	}
	o, err := hsdesc.ParseOuter(descriptor, 50000, time.Now())
	if err != nil {
		b.t.Errorf("descriptor: %v", err)
		return err
	}
	blinded := string(o.BlindedKey()[:])
	if b.stored[dir.RSA] == nil {
		b.stored[dir.RSA] = map[string][]int{}
	}
	had := b.stored[dir.RSA][blinded]
	if len(had) > 0 && b.versions[had[len(had)-1]].Revision >= o.Revision {
		b.t.Errorf("directory gets revision %d after %d", o.Revision, b.versions[had[len(had)-1]].Revision)
	}
	i := slices.IndexFunc(b.versions, func(v *hsdesc.Outer) bool { return v.Revision == o.Revision && *v.BlindedKey() == *o.BlindedKey() })
	if i < 0 {
		i = len(b.versions)
		b.versions = append(b.versions, o)
	}
	b.stored[dir.RSA][blinded] = append(had, i)
	return nil
}

// locked runs f while nothing else looks at the fields.
func (b *bed) locked(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// owner runs f in the service's goroutine, while nothing else looks at the fields.
func (b *bed) owner(f func()) {
	done := make(chan struct{})
	if !b.s.do(func(time.Time) { defer close(done); b.locked(f) }) {
		b.t.Fatal("the service has ended")
	}
	<-done
}

func (b *bed) Check(ctx context.Context, a onionaddr.Address) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.checks++
	return b.unreachable
}

// fakeCircuit leads to a relay that can be an introduction point, if nothing else is said.
type fakeCircuit struct {
	b    *bed
	hop  circuit.Hop
	done chan struct{}
	once sync.Once
	take func(relaymsg.Msg) error
	auth [32]byte // of the introduction point
	exts circext.List
}

var errGone = errors.New("circuit has ended")

func (c *fakeCircuit) OnMessage(f func(relaymsg.Msg) error) {
	c.take = f
	c.b.mu.Lock()
	early := c.b.early
	c.b.mu.Unlock()
	if early != nil {
		early(c)
	}
}
func (c *fakeCircuit) KH() [20]byte          { return [20]byte{1, 2, 3} }
func (c *fakeCircuit) Done() <-chan struct{} { return c.done }
func (c *fakeCircuit) Err() error            { return errGone }
func (c *fakeCircuit) Close() {
	c.once.Do(func() {
		close(c.done)
		c.b.mu.Lock()
		defer c.b.mu.Unlock()
		if i := slices.Index(c.b.circuits, c); i >= 0 {
			c.b.circuits = slices.Delete(c.b.circuits, i, i+1)
		}
	})
}

// Send makes the relay an introduction point, if what the service says is right.
func (c *fakeCircuit) Send(m relaymsg.Msg) error {
	select {
	case <-c.done:
		return errGone
	default:
	}
	e, err := relaymsg.ParseEstablishIntro(m.Body)
	if err != nil {
		c.b.t.Errorf("%v: %v", m.Cmd, err)
		return err
	}
	mac := relaymsg.EstablishIntroMAC(c.KH(), e.Signed[:len(e.Signed)-32])
	if mac != e.MAC || !ed25519.Verify(e.AuthKey[:], append([]byte(relaymsg.EstablishIntroPrefix), e.Signed...), e.Sig[:]) {
		c.b.t.Error("ESTABLISH_INTRO has a wrong MAC or signature")
	}
	c.auth, c.exts = e.AuthKey, e.Exts
	c.b.mu.Lock()
	c.b.circuits = append(c.b.circuits, c)
	c.b.mu.Unlock()
	go c.say(relaymsg.CmdIntroEstablished, []byte{0})
	return nil
}

// say has the relay send something; an error closes the circuit.
func (c *fakeCircuit) say(cmd relaymsg.Command, body []byte) error {
	err := c.take(relaymsg.Msg{Cmd: cmd, Body: body})
	if err != nil {
		c.Close()
	}
	return err
}

func (c *fakeCircuit) AppendVirtualHop(h circuit.VirtualHop) error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.met = append(c.b.met, h)
	c.b.metAt = append(c.b.metAt, c.hop)
	return nil
}

// points are the circuits to introduction points now.
func (b *bed) points() []*fakeCircuit {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.circuits)
}

// auths are their keys.
func (b *bed) auths() (list [][32]byte) {
	for _, c := range b.points() {
		list = append(list, c.auth)
	}
	slices.SortFunc(list, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return list
}

// A visitor is a client.
type visitor struct {
	b   *bed
	eph *hsntor.Client
	at  hsntor.Intro
	sub [32]byte
	msg relaymsg.IntroducePlaintext
}

// descriptor is the one that a client fetches now, opened.
func (b *bed) descriptor(client *x25519.KeyPair) (*hsdesc.Inner, [32]byte, error) {
	synctest.Wait()
	dirs, err := hsdirs.New(b.View(), false)
	if err != nil {
		b.t.Fatal(err)
	}
	use := dirs.Clock().Fetch()
	blinded, err := hskeys.BlindPublic(b.key.ID(), use.Period)
	if err != nil {
		b.t.Fatal(err)
	}
	sub := hskeys.Subcredential(b.key.ID(), blinded)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range dirs.Fetch(use, blinded) {
		if had := b.stored[r.RSA][string(blinded[:])]; len(had) > 0 {
			in, err := hsenc.Open(b.versions[had[len(had)-1]], sub, client, time.Now())
			return in, sub, err
		}
	}
	return nil, sub, errGone
}

// visitor reads the descriptor, and is ready to introduce itself at the first of the points.
func (b *bed) visitor() *visitor {
	b.t.Helper()
	in, sub, err := b.descriptor(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	p := in.Points[0]
	v := &visitor{b: b, at: hsntor.Intro{AuthKey: p.AuthCert.Key, EncKey: p.EncKey}, sub: sub}
	if v.eph, err = hsntor.NewClient(crand.Reader); err != nil {
		b.t.Fatal(err)
	}
	v.msg = relaymsg.IntroducePlaintext{OnionKey: [32]byte{9, 9}, Specs: linkspec.Set{
		RSA: netdirtest.ID(7), HasRSA: true, Ed: netdirtest.Ed(7), HasEd: true,
		Addrs: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:9001")},
	}.Specs()}
	crand.Read(v.msg.Cookie[:])
	return v
}

// body is what it says.
func (v *visitor) body() []byte {
	v.b.t.Helper()
	body, err := v.eph.Introduce(v.at, v.sub, v.msg)
	if err != nil {
		v.b.t.Fatal(err)
	}
	return body
}

// introduce says something at the introduction point, and tells whether a client was met then.
func (v *visitor) introduce(body []byte) bool {
	v.b.t.Helper()
	for _, c := range v.b.points() {
		if c.auth != v.at.AuthKey {
			continue
		}
		before := v.b.meetings()
		if err := c.say(relaymsg.CmdIntroduce2, body); err != nil {
			v.b.t.Errorf("introduction closes the circuit: %v", err)
		}
		time.Sleep(time.Second)
		return v.b.meetings() > before
	}
	v.b.t.Fatal("the introduction point is gone")
	return false
}

func (b *bed) meetings() int {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.met)
}
