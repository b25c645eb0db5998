package resolver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
)

// A bed is an exit and some nameservers on a network in memory.
type bed struct {
	t       *testing.T
	net     *memnet.Net
	exit    *memnet.Host
	servers []*fakeServer
	r       *Resolver
	events  *event.Sub

	mu   sync.Mutex // guards the fields below
	conf string
	log  bytes.Buffer
}

const latency = 10 * time.Millisecond

// inBed runs f in a bubble with n nameservers, which answer all with handle.
func inBed(t *testing.T, n int, handle handler, mod func(*Config), f func(*testing.T, *bed)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, net: memnet.New(memnet.Link{Latency: latency})}
		b.exit = b.net.Host("exit", netip.MustParseAddr("192.0.2.1"))
		for i := range n {
			s := newFakeServer(t, b.net, fmt.Sprintf("198.51.100.%d", i+1), handle)
			b.servers = append(b.servers, s)
			b.conf += "nameserver " + s.host.Addr().String() + "\n"
		}
		var bus event.Bus
		b.events = bus.Subscribe(1000)
		cfg := Config{
			Env:      env.Env{Net: b.exit, Now: time.Now, Log: slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))},
			Events:   &bus,
			ReadFile: b.readFile,
		}
		if mod != nil {
			mod(&cfg)
		}
		b.r = New(cfg)
		f(t, b)
		if n := b.exit.Sockets(); n != 0 {
			t.Errorf("%d sockets are still open", n)
		}
		if len(b.r.flights) != 0 || len(b.r.slots) != 0 {
			t.Errorf("%d look-ups and %d slots are left", len(b.r.flights), len(b.r.slots))
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if strings.Contains(b.log.String(), "example") {
			t.Errorf("the log names a destination:\n%s", b.log.String())
		}
	})
}

// Write makes a bed the sink of the log.
func (b *bed) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bed) readFile(name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name != "/etc/resolv.conf" || b.conf == "" {
		return nil, errors.New("no such file")
	}
	return []byte(b.conf), nil
}

func (b *bed) setConf(conf string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conf = conf
}

// run starts Run and returns how to stop it.
func (b *bed) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.r.Run(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// kinds returns the events so far.
func (b *bed) kinds() (kinds []EventKind) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	for {
		e, err := b.events.Next(ctx)
		if err != nil {
			return kinds
		}
		kinds = append(kinds, e.(Event).Kind)
	}
}

var both = Want{V4: true, V6: true}

// wantAddrs looks a name up and compares its addresses with those in want, which are separated by spaces.
func (b *bed) wantAddrs(host string, w Want, want string) Answer {
	b.t.Helper()
	a, err := b.r.Resolve(context.Background(), host, w)
	if err != nil {
		b.t.Errorf("%s: %v, want %s", host, err, want)
		return a
	}
	if got := strings.Trim(fmt.Sprint(a.Addrs), "[]"); got != want {
		b.t.Errorf("%s: got %s, want %s", host, got, want)
	}
	if s := a.TTL / time.Second; s < 60 || s > 64*60 || a.TTL%time.Second != 0 {
		b.t.Errorf("%s: TTL %v", host, a.TTL)
	}
	return a
}

// wantErr looks a name up and wants an error.
func (b *bed) wantErr(host string, w Want, want error, perm bool) {
	b.t.Helper()
	a, err := b.r.Resolve(context.Background(), host, w)
	checkErr(b.t, host, a.Addrs, err, want, perm)
}

func checkErr(t *testing.T, what string, got any, err, want error, perm bool) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok || !errors.Is(err, want) || e.Permanent != perm:
		t.Errorf("%s: got %v, %v; want %v, permanent %v", what, got, err, want, perm)
	case strings.Contains(err.Error(), "example") || strings.Contains(err.Error(), "192.0.2"):
		t.Errorf("%s: error %q tells too much", what, err)
	case e.Temporary() == perm:
		t.Errorf("%s: Temporary() = %v", what, !perm)
	}
}

// An exchange is a question that a fake server got.
type exchange struct {
	s    *fakeServer
	q    *dns.Msg
	name string // lower case
	tcp  bool
	from net.Addr
	send func([]byte)
}

// reply sends m.
func (x *exchange) reply(m *dns.Msg) {
	wire, err := m.Pack()
	if err != nil {
		panic(err)
	}
	x.send(wire)
}

// msg returns an answer with records in the form of master files.
func (x *exchange) msg(rrs ...string) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(x.q)
	m.RecursionAvailable = true
	m.Compress = true
	for _, s := range rrs {
		rr, err := dns.NewRR(s)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

// rcode returns an answer with an error.
func (x *exchange) rcode(code int) *dns.Msg {
	m := x.msg()
	m.Rcode = code
	return m
}

type handler func(*exchange)

// A fakeServer is a nameserver whose behaviour is up to the test.
type fakeServer struct {
	host *memnet.Host
	ctx  context.Context // ends with the test

	mu     sync.Mutex // guards the fields below
	handle handler
	asked  []*exchange
}

func newFakeServer(t *testing.T, n *memnet.Net, addr string, h handler) *fakeServer {
	ctx, cancel := context.WithCancel(context.Background())
	s := &fakeServer{host: n.Host("server "+addr, netip.MustParseAddr(addr)), ctx: ctx, handle: h}
	udp, err := s.host.ListenPacket("udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := s.host.Listen(ctx, "tcp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.serveUDP(&wg, udp) })
	wg.Go(func() { s.serveTCP(&wg, tcp) })
	t.Cleanup(func() {
		cancel()
		s.host.Crash()
		wg.Wait()
	})
	return s
}

func (s *fakeServer) serveUDP(wg *sync.WaitGroup, c *memnet.PacketConn) {
	buf := make([]byte, 65536)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		msg := bytes.Clone(buf[:n])
		wg.Go(func() { s.serve(msg, false, from, func(b []byte) { c.WriteTo(b, from) }) })
	}
}

func (s *fakeServer) serveTCP(wg *sync.WaitGroup, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			var length [2]byte
			if _, err := io.ReadFull(c, length[:]); err != nil {
				return
			}
			msg := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(c, msg); err != nil {
				return
			}
			s.serve(msg, true, c.RemoteAddr(), func(b []byte) {
				c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
			})
		})
	}
}

func (s *fakeServer) serve(msg []byte, tcp bool, from net.Addr, send func([]byte)) {
	x := &exchange{s: s, q: new(dns.Msg), tcp: tcp, from: from, send: send}
	if err := x.q.Unpack(msg); err != nil || len(x.q.Question) != 1 {
		panic(fmt.Sprint("the resolver sent nonsense: ", err))
	}
	x.name = strings.ToLower(x.q.Question[0].Name)
	s.mu.Lock()
	s.asked = append(s.asked, x)
	h := s.handle
	s.mu.Unlock()
	if h != nil {
		h(x)
	}
}

func (s *fakeServer) setHandler(h handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = h
}

// questions returns how many questions came so far.
func (s *fakeServer) questions() int { return len(s.got()) }

// got returns the questions that came so far.
func (s *fakeServer) got() []*exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// forget frees the questions that came so far.
func (s *fakeServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
}

// sleep waits, but not beyond the end of the test.
func (s *fakeServer) sleep(d time.Duration) { sleep(s.ctx, d) }

// zone answers from a list of records; it has an answer for names in it only.
func zone(rrs ...string) handler {
	return func(x *exchange) {
		m := x.msg()
		exists := false
		for name := x.name; name != ""; {
			next := ""
			for _, s := range rrs {
				rr, err := dns.NewRR(s)
				if err != nil {
					panic(err)
				}
				if rr.Header().Name != name {
					continue
				}
				exists = true
				c, isAlias := rr.(*dns.CNAME)
				if rr.Header().Rrtype == x.q.Question[0].Qtype || isAlias {
					m.Answer = append(m.Answer, rr)
				}
				if isAlias {
					next = c.Target
				}
			}
			name = next
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		x.reply(m)
	}
}

// silent never answers.
func silent(*exchange) {}

// always answers each question for IPv4 addresses with the same one, and others with none.
func always(addr string) handler {
	return func(x *exchange) {
		if x.q.Question[0].Qtype != dns.TypeA {
			x.reply(x.msg())
			return
		}
		x.reply(x.msg(x.name + " 600 IN A " + addr))
	}
}

func code(rcode int) handler { return func(x *exchange) { x.reply(x.rcode(rcode)) } }

func netAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// onlyTCP is a network without datagrams.
type onlyTCP struct{ netx.Network }
