package hsclient

import (
	"bytes"
	"context"
	"crypto/ed25519"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/hsntor"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// ids are the relays, the first of which is everybody's guard. They are made before any bubble begins, since keys take time.
var ids = fakepeer.Identities(9)

const introPoints = 3 // those of the service are the relays from 1 on

func relayAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i + 1), 1}), 9001)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newView returns the directory of all relays.
func newView(at time.Time) *netdir.View {
	c := &consensus.Consensus{Flavor: consensus.Microdesc, ValidAfter: at, FreshUntil: at.Add(time.Hour), ValidUntil: at.Add(3 * time.Hour)}
	mds := map[[32]byte]*microdesc.Microdesc{}
	for i, id := range ids {
		ntor, ed := id.NTor(), id.Ed()
		text := fmt.Appendf(nil, "onion-key\nntor-onion-key %s\n", base64.StdEncoding.EncodeToString(ntor[:]))
		s := consensus.RouterStatus{ID: id.RSA(), HasBandwidth: true, Bandwidth: 1000}
		s.Flags = consensus.Running | consensus.Valid | consensus.Fast | consensus.Stable | consensus.V2Dir | consensus.HSDir
		s.SetNickname(fmt.Sprintf("relay%d", i))
		s.Protos = must(consensus.NewProtos("Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-4"))
		s.Addr4, s.ORPort = relayAddr(i).Addr().As4(), relayAddr(i).Port()
		text = fmt.Appendf(text, "id ed25519 %s\n", base64.RawStdEncoding.EncodeToString(ed[:]))
		s.Digest = sha256.Sum256(text)
		md := must(microdesc.Parse(text, nil))
		mds[s.Digest] = &md
		c.Relays = append(c.Relays, s)
	}
	slices.SortFunc(c.Relays, func(a, b consensus.RouterStatus) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return netdir.New(c, func(d [32]byte) *microdesc.Microdesc { return mds[d] })
}

// directory is a DirSource under a test's command.
type directory struct {
	mu      sync.Mutex
	view    *netdir.View
	changed chan struct{}
}

func (d *directory) View() *netdir.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.view
}

func (d *directory) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *directory) set(v *netdir.View) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.view = v
	close(d.changed)
	d.changed = make(chan struct{})
}

// firstGuard always picks the first relay.
type firstGuard struct{}

func (firstGuard) Pick(v *netdir.View, ok func(*netdir.Relay) bool) (*netdir.Relay, error) {
	if r := v.ByRSA(ids[0].RSA()); ok(r) {
		return r, nil
	}
	return nil, errors.New("guard does not suit")
}
func (firstGuard) Succeeded(*netdir.Relay) {}
func (firstGuard) Failed(*netdir.Relay)    {}

// service is an onion service, its directories and its relays, as honest as the test makes them.
type service struct {
	identity *keyfile.EdSecret
	addr     onionaddr.Address
	keys     keys
	signing  ed25519.PrivateKey
	cert     *torcert.Cert
	inner    hsdesc.Inner
	points   []hsntor.Point
	clients  [][32]byte // who may use it; all if empty

	mu       sync.Mutex // guards the fields below
	revision uint64
	intro    *fakepeer.Circuit // on which the last introduction has come
	seen

	// What makes it dishonest; nil does nothing.
	dir       func(n int, honest []byte) []byte                                  // the answer to the n-th fetch; nil is 404
	extend    func(c *fakepeer.Circuit, hop int, body []byte) (handled bool)     // EXTEND2 has come
	ask       func(c *fakepeer.Circuit, cookie [20]byte) (handled bool)          // ESTABLISH_RENDEZVOUS has come
	introduce func(c *fakepeer.Circuit, point, n int) (handled bool)             // the n-th INTRODUCE1 has come
	meet      func(c *fakepeer.Circuit, r *hsntor.Request, n int) (handled bool) // the service wants to answer
	ackDelay  time.Duration                                                      // before an introduction point answers
	pad       func(c *fakepeer.Circuit, ask relaymsg.PaddingNegotiate)           // the second relay is asked for padding
}

// seen is what a service has seen of its clients.
type seen struct {
	fetches    int
	introduced []int // the points that introductions came to, by number
	requests   []*hsntor.Request
	waiting    map[[20]byte]*fakepeer.Circuit // clients at rendezvous points
	hops       map[string]int                 // the longest circuit that a kind of message came to
	targets    []string                       // of streams
	padding    []string                       // what padding is about, and what comes just before that
}

// saw returns what the service has seen so far.
func (s *service) saw() seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.seen
	now.introduced, now.requests, now.targets = slices.Clone(s.introduced), slices.Clone(s.requests), slices.Clone(s.targets)
	now.padding = slices.Clone(s.padding)
	now.waiting, now.hops = maps.Clone(s.waiting), maps.Clone(s.hops)
	return now
}

func newService(clients ...[32]byte) *service {
	s := &service{identity: keyfile.GenerateEd(), clients: clients, seen: seen{waiting: map[[20]byte]*fakepeer.Circuit{}, hops: map[string]int{}}}
	s.addr = must(onionaddr.FromKey(s.identity.ID()))
	clock := must(hskeys.NewClock(time.Now(), time.Hour, 1440, false))
	blinded := must(hskeys.BlindSecret(s.identity, clock.Period()))
	s.keys = must(newKeys(s.addr, clock.Period()))
	_, s.signing = must2(ed25519.GenerateKey(crand.Reader))
	s.cert = must(hsenc.NewCert(torcert.TypeHSSigning, [32]byte(s.signing.Public().(ed25519.PublicKey)), blinded, time.Now()))
	for i := range introPoints {
		enc := must(x25519.Generate(crand.Reader))
		p := hsntor.Point{AuthKey: keyfile.GenerateEd().ID(), Enc: enc}
		s.points = append(s.points, p)
		id := ids[i+1]
		s.inner.Points = append(s.inner.Points, hsdesc.IntroPoint{
			Specs:    linkspec.Set{Addrs: []netip.AddrPort{relayAddr(i + 1)}, RSA: id.RSA(), HasRSA: true, Ed: id.Ed(), HasEd: true}.Specs(),
			OnionKey: id.NTor(), EncKey: enc.Public(),
			AuthCert: must(hsenc.NewCert(torcert.TypeHSIntroAuth, p.AuthKey, s.signing, time.Now())),
			EncCert:  must(hsenc.NewEncCert(enc.Public(), s.signing, time.Now())),
		})
	}
	return s
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

// descriptor makes the next version.
func (s *service) descriptor() []byte {
	s.revision++
	auth := must(hsenc.NewAuth(crand.Reader, s.keys.subcredential, s.clients))
	return must(auth.Seal(crand.Reader, hsenc.Version{Cert: s.cert, Signing: s.signing, Revision: s.revision}, &s.inner, 50000))
}

// serve answers directory requests.
func (s *service) serve(request string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(request, "GET /tor/hs/3/"+base64.RawStdEncoding.EncodeToString(s.keys.blinded[:])+" HTTP/1.0\r\n") ||
		strings.Contains(request, "Accept-Encoding") {
		panic("strange request " + request)
	}
	text := s.descriptor()
	if s.dir != nil {
		text = s.dir(s.fetches, text)
	}
	s.fetches++
	if text == nil {
		return []byte("HTTP/1.0 404 Not found\r\n\r\n")
	}
	return fmt.Appendf(nil, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

// message plays the relays that clients meet services at, and the service.
func (s *service) message(c *fakepeer.Circuit, hop int, m relaymsg.Msg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hop == c.Hops()-1 {
		s.hops[m.Cmd.String()] = max(s.hops[m.Cmd.String()], hop+1)
	}
	switch m.Cmd {
	case relaymsg.CmdPaddingNegotiate:
		ask := must(relaymsg.ParsePaddingNegotiate(m.Body))
		s.padding = append(s.padding, fmt.Sprintf("hop %d: command %d, machine %d, ctr %d", hop+1, ask.Command, ask.MachineType, ask.MachineCtr))
		if s.pad != nil {
			s.pad(c, ask)
		}
		return true
	case relaymsg.CmdDrop:
		s.padding = append(s.padding, fmt.Sprintf("hop %d: DROP", hop+1))
		return true
	case relaymsg.CmdExtend2:
		return s.extend != nil && s.extend(c, hop, m.Body)
	case relaymsg.CmdEstablishRendezvous:
		s.padding = append(s.padding, m.Cmd.String())
		cookie := must(relaymsg.ParseEstablishRendezvous(m.Body)).Cookie
		s.waiting[cookie] = c
		if s.ask == nil || !s.ask(c, cookie) {
			c.Send(hop, relaymsg.Msg{Cmd: relaymsg.CmdRendezvousEstablished})
		}
		return true
	case relaymsg.CmdIntroduce1:
		s.padding = append(s.padding, m.Cmd.String())
		s.introduce1(c, hop, bytes.Clone(m.Body))
		return true
	}
	return false
}

func (s *service) introduce1(c *fakepeer.Circuit, hop int, body []byte) {
	in := must(relaymsg.ParseIntroduce(body))
	n := len(s.introduced)
	s.intro = c
	point := slices.IndexFunc(s.points, func(p hsntor.Point) bool { return p.AuthKey == in.AuthKey })
	s.introduced = append(s.introduced, point)
	if s.introduce != nil && s.introduce(c, point, n) {
		return
	}
	r := must(s.points[point].Open(body, s.keys.subcredential))
	s.requests = append(s.requests, r)
	if s.ackDelay == 0 {
		ack(c, hop, relaymsg.IntroduceOK)
	} else {
		time.AfterFunc(s.ackDelay, func() { ack(c, hop, relaymsg.IntroduceOK) })
	}
	if s.meet == nil || !s.meet(c, r, n) {
		s.come(r)
	}
}

// ack answers an introduction.
func ack(c *fakepeer.Circuit, hop int, status relaymsg.IntroduceStatus) {
	c.Send(hop, relaymsg.Msg{Cmd: relaymsg.CmdIntroduceAck, Body: must(relaymsg.IntroduceAck{Status: status}.AppendTo(nil))})
}

// come meets a client.
func (s *service) come(r *hsntor.Request) {
	reply, keys := must2(r.Reply(crand.Reader))
	c := s.waiting[r.Cookie]
	last := c.Hops() - 1
	c.AddService(keys)
	c.Send(last, relaymsg.Msg{Cmd: relaymsg.CmdRendezvous2, Body: must(reply.AppendTo(nil))})
}

// bed is a client and all it needs, in a bubble. All circuits go through one fake relay, which plays the others too.
type bed struct {
	*testing.T
	service *service
	relay   *fakepeer.Relay
	dir     *directory
	cfg     Config
	*Client
}

// setup is what a test changes before the client starts.
type setup struct {
	service func(*service)
	config  func(*Config)
	clients [][32]byte
	none    bool // there is no directory at first
	padding *circuit.PaddingAccount
	hooks   *fakepeer.Hooks // of the relay, besides Message; nil for none
}

func run(t *testing.T, su setup, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{T: t, service: newService(su.clients...), dir: &directory{changed: make(chan struct{})}}
		if su.service != nil {
			su.service(b.service)
		}
		if !su.none {
			b.dir.view = newView(time.Now())
		}
		var hooks fakepeer.Hooks
		if su.hooks != nil {
			hooks = *su.hooks
		}
		hooks.Message = b.service.message
		net := memnet.New(memnet.Link{Latency: 20 * time.Millisecond})
		client := net.Host("client", netip.MustParseAddr("192.0.2.1"))
		b.relay = fakepeer.New(t, fakepeer.Config{
			Identity: ids[0], Others: ids, Dir: b.service.serve, Hooks: hooks,
			Stream: func(target string) fakepeer.Handler {
				b.service.mu.Lock()
				defer b.service.mu.Unlock()
				b.service.targets = append(b.service.targets, target)
				return fakepeer.Echo
			},
		})
		host := net.Host("relay", relayAddr(0).Addr())
		b.relay.Serve(must(host.Listen(t.Context(), "tcp", relayAddr(0).String())))
		log := slog.New(failing{t})
		e := env.Env{Net: client, Now: time.Now, Log: log}
		links := link.NewRegistry(link.Config{Env: e, NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) }})
		defer links.Close()
		sel := pathsel.New(pathsel.Config{})
		circuits := circmgr.New(circmgr.Config{
			Env: e, Links: links, Dir: b.dir, Guards: firstGuard{}, Select: sel, Rand: rand.New(rand.NewPCG(1, 2)), NoPrediction: true, Padding: su.padding,
		})
		b.cfg = Config{Env: e, Circuits: circuits, Dir: b.dir, Select: sel, Rand: rand.New(rand.NewPCG(3, 4))}
		if su.config != nil {
			su.config(&b.cfg)
		}
		b.Client = New(b.cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { circuits.Run(ctx) })
		wg.Go(func() { b.Client.Run(ctx) })
		defer func() { cancel(); wg.Wait() }()
		synctest.Wait()
		f(b)
	})
}

// failing is a log in which nothing may be as bad as an error: panics that were contained are.
type failing struct{ t testing.TB }

func (failing) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f failing) WithAttrs([]slog.Attr) slog.Handler         { return f }
func (f failing) WithGroup(string) slog.Handler              { return f }
func (f failing) Handle(_ context.Context, r slog.Record) error {
	f.t.Errorf("log: %s", r.Message)
	return nil
}

// open asks for a circuit for a user.
func (b *bed) open(user string, limit time.Duration) (Lease, error) {
	ctx, cancel := context.WithTimeout(b.Context(), limit)
	defer cancel()
	return b.Open(ctx, Request{Service: b.service.addr, Port: 80, Isolation: isolation.Key{User: user}})
}

// echo sends a text through a circuit and back.
func (b *bed) echo(l Lease) {
	b.Helper()
	s, err := l.Tunnel.Connect(must(relaymsg.NewBegin("", 80, 0)))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	io.WriteString(s, "hello")
	var buf [5]byte
	if _, err := io.ReadFull(s, buf[:]); err != nil || string(buf[:]) != "hello" {
		b.Errorf("%q, %v", buf, err)
	}
}

// wantReason fails the test unless err has the reason.
func (b *bed) wantReason(err error, want Reason) {
	b.Helper()
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want {
		b.Errorf("error %v, want reason %q", err, want)
	}
}
