package publish

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// keyring is made before any bubble begins: keys take time.
var keyring = func() *relaykeys.Keyring {
	k, _, err := relaykeys.Load(relaykeys.Config{}, new(statefile.Mem), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	return k
}()

var (
	addr4 = netip.MustParseAddr("1.2.3.4")
	addr6 = netip.MustParseAddr("2001:db8::1")
	auth  = []Authority{{"a", []netip.AddrPort{netip.MustParseAddrPort("9.0.0.1:80")}}, {"b", []netip.AddrPort{netip.MustParseAddrPort("9.0.0.2:80")}}}
)

// A bed is a publisher and what it talks to.
type bed struct {
	*testing.T
	p     *Publisher
	log   strings.Builder
	logMu sync.Mutex

	mu       sync.Mutex
	posts    map[netip.AddrPort][]*routerdesc.Descriptor
	reply    func(to netip.AddrPort) (Reply, error)
	tests    int
	observed uint64
	listed   time.Time
	ready    bool
}

func (b *bed) Write(p []byte) (int, error) {
	b.logMu.Lock()
	defer b.logMu.Unlock()
	return b.log.Write(p)
}

func run(t *testing.T, info func(*Info), f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{T: t, posts: map[netip.AddrPort][]*routerdesc.Descriptor{}, ready: true, observed: 5000}
		i := Info{
			Nickname: "me", Platform: "Tor 0.4.9.11 on Linux", Protocols: "Link=3-5", Addrs: []netip.Addr{addr4}, Port: 9001, Rate: 1 << 30, Burst: 1 << 30,
			Publish: true, AssumeIPv4: true, DirCache: true,
		}
		if info != nil {
			info(&i)
		}
		b.p = New(Config{
			Env:    env.Env{Now: time.Now, Log: slog.New(slog.NewTextHandler(b, nil))},
			Policy: func(own []netip.Addr) exitpolicy.Policy { return exitpolicy.Own(exitpolicy.Config{RejectAddrs: own}) },
			Info:   i, Keys: keyring.Current, Authorities: auth,
			Observed: func() uint64 { b.mu.Lock(); defer b.mu.Unlock(); return b.observed },
			Listed:   func() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.listed },
			Ready:    func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.ready },
			Test:     func(context.Context, netip.AddrPort) error { b.mu.Lock(); defer b.mu.Unlock(); b.tests++; return nil },
			Post: func(_ context.Context, to netip.AddrPort, body []byte, reason string) (Reply, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				d, err := routerdesc.Parse(body)
				if err != nil || reason == "" {
					t.Errorf("upload: %v, reason %q", err, reason)
				}
				b.posts[to] = append(b.posts[to], d)
				b.listed = d.Published
				if b.reply != nil {
					return b.reply(to)
				}
				return Reply{Status: 200}, nil
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.p.Run(ctx) })
		defer func() { cancel(); wg.Wait() }()
		synctest.Wait()
		f(b)
	})
}

// uploads returns how many uploads both authorities have got, and the last descriptor.
func (b *bed) uploads() (n1, n2 int, last *routerdesc.Descriptor) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	p1, p2 := b.posts[auth[0].Dir[0]], b.posts[auth[1].Dir[0]]
	if len(p2) > 0 {
		last = p2[len(p2)-1]
	}
	return len(p1), len(p2), last
}

func (b *bed) want(n1, n2 int) *routerdesc.Descriptor {
	b.Helper()
	got1, got2, last := b.uploads()
	if got1 != n1 || got2 != n2 {
		b.Fatalf("%d and %d uploads, want %d and %d", got1, got2, n1, n2)
	}
	return last
}

func (b *bed) logged(text string) bool {
	b.logMu.Lock()
	defer b.logMu.Unlock()
	return strings.Contains(b.log.String(), text)
}

func TestPublish(t *testing.T) {
	run(t, nil, func(b *bed) {
		d := b.want(1, 1)
		if d.OR != netip.AddrPortFrom(addr4, 9001) || d.OR6.IsValid() || d.Nickname != "me" || d.Bandwidth.Observed != 5000 || !d.DirCache || d.Hibernating {
			t.Errorf("%+v", d)
		}
		if b.p.Current().Digest != d.Digest || len(b.p.Addrs()) != 1 {
			t.Error("the current documents are others")
		}
		time.Sleep(17 * time.Hour)
		b.want(1, 1)
		time.Sleep(2 * time.Hour)
		b.want(2, 2)
		// Changes come together, and not more often than once a minute.
		b.p.Changed("keys")
		b.p.Hibernate(true)
		b.want(3, 3)
		b.p.Hibernate(false)
		b.want(3, 3)
		time.Sleep(2 * time.Minute)
		if d := b.want(4, 4); d.Hibernating {
			t.Error("hibernating")
		}
	})
}

// A configuration that says the same makes no other descriptor.
func TestSetInfo(t *testing.T) {
	run(t, nil, func(b *bed) {
		b.want(1, 1)
		i := b.p.cfg.Info
		b.p.SetInfo(i)
		time.Sleep(time.Hour)
		b.want(1, 1)
		i.Contact = "somebody"
		b.p.SetInfo(i)
		if d := b.want(2, 2); d.Contact != "somebody" {
			t.Errorf("contact %q", d.Contact)
		}
	})
}

// The bandwidth that a young relay has shown is told when it is another by far.
func TestBandwidth(t *testing.T) {
	run(t, nil, func(b *bed) {
		set := func(n uint64) { b.mu.Lock(); defer b.mu.Unlock(); b.observed = n }
		b.want(1, 1)
		set(20000)
		time.Sleep(2 * time.Hour)
		b.want(1, 1)
		time.Sleep(time.Hour + time.Minute)
		b.want(2, 2)
		set(25000)
		time.Sleep(4 * time.Hour)
		b.want(2, 2)
	})
}

// Each authority gets the descriptor until it has taken it; one that finds it wrong is not asked again.
func TestAuthorities(t *testing.T) {
	run(t, nil, func(b *bed) {
		b.mu.Lock()
		b.reply = func(to netip.AddrPort) (Reply, error) {
			if to == auth[0].Dir[0] {
				return Reply{}, errors.New("refused")
			}
			return Reply{Status: 400, Reason: "Fingerprint is marked rejected"}, nil
		}
		b.mu.Unlock()
		b.p.Changed("test")
		time.Sleep(2 * time.Minute)
		first, _, _ := b.uploads()
		b.mu.Lock()
		b.reply = nil
		b.mu.Unlock()
		time.Sleep(time.Hour + time.Minute)
		n1, n2, _ := b.uploads()
		if n1 <= first || n2 != 2 {
			t.Errorf("%d and %d uploads, before %d", n1, n2, first)
		}
		if !b.logged("http status 400 (") || !b.logged("Please correct.") {
			t.Error("the operator was not told")
		}
	})
}

// Nothing is published before somebody has come in from outside.
func TestReachability(t *testing.T) {
	run(t, func(i *Info) { i.AssumeIPv4 = false; i.Addrs = append(i.Addrs, addr6); i.Port6 = 9001 }, func(b *bed) {
		b.want(0, 0)
		time.Sleep(21 * time.Minute)
		b.want(0, 0)
		if !b.logged("has not managed to confirm reachability") {
			t.Error("no warning")
		}
		b.mu.Lock()
		if b.tests < 20 {
			t.Errorf("%d tests", b.tests)
		}
		b.mu.Unlock()
		b.p.Reached(false)
		if d := b.want(1, 1); d.OR6.IsValid() {
			t.Error("IPv6 is published untested")
		}
		b.p.Reached(true)
		time.Sleep(2 * time.Minute)
		if d := b.want(2, 2); d.OR6 != netip.AddrPortFrom(addr6, 9001) {
			t.Errorf("IPv6 address %v", d.OR6)
		}
	})
	run(t, func(i *Info) { i.AssumeIPv4 = false }, func(b *bed) {
		b.mu.Lock()
		b.ready = false
		before := b.tests
		b.mu.Unlock()
		time.Sleep(time.Hour)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.tests > before {
			t.Error("tests without a directory")
		}
	})
	for name, change := range map[string]func(*Info){
		"PublishServerDescriptor 0": func(i *Info) { i.Publish = false },
		"no ORPort is advertised":   func(i *Info) { i.Port = 0 },
		"private address":           func(i *Info) { i.Addrs = []netip.Addr{netip.MustParseAddr("10.0.0.1")} },
	} {
		run(t, change, func(b *bed) {
			time.Sleep(time.Hour)
			if n, _, _ := b.uploads(); n > 0 {
				t.Errorf("%s: published", name)
			}
		})
	}
}

func TestGuess(t *testing.T) {
	a := netip.MustParseAddr
	for _, tt := range []struct {
		name   string
		info   Info
		system []netip.Addr
		hints  []hint
		want   netip.Addr
	}{
		{"operator", Info{Addrs: []netip.Addr{a("1.1.1.1")}, Bound: []netip.Addr{a("2.2.2.2")}}, []netip.Addr{a("3.3.3.3")}, nil, a("1.1.1.1")},
		{"operator's will not do", Info{Addrs: []netip.Addr{a("10.1.1.1")}}, []netip.Addr{a("3.3.3.3")}, nil, netip.Addr{}},
		{"bound", Info{Bound: []netip.Addr{a("2.2.2.2")}}, []netip.Addr{a("3.3.3.3")}, nil, a("2.2.2.2")},
		{"system", Info{Bound: []netip.Addr{a("0.0.0.0")}}, []netip.Addr{a("127.0.0.1"), a("192.168.1.1"), a("3.3.3.3")}, nil, a("3.3.3.3")},
		{"most voices", Info{}, []netip.Addr{a("192.168.1.1")}, []hint{{a("4.4.4.4"), "x"}, {a("5.5.5.5"), "y"}, {a("4.4.4.4"), "z"}, {a("10.0.0.1"), "w"}}, a("4.4.4.4")},
		{"private network", Info{Private: true, Bound: []netip.Addr{a("127.0.0.1")}}, nil, nil, a("127.0.0.1")},
		{"none", Info{}, nil, nil, netip.Addr{}},
	} {
		if got := tt.info.guess(false, tt.system, tt.hints); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	var list []hint
	for i := range 100 {
		list = addHint(list, hint{a("1.2.3.4"), strings.Repeat("x", i)})
	}
	if list = addHint(list, hint{a("1.2.3.5"), strings.Repeat("x", 99)}); len(list) != maxHints {
		t.Errorf("%d hints", len(list))
	}
}

// What an authority answers is bounded and printable.
func TestPostHTTP(t *testing.T) {
	answer := func(text string) netip.AddrPort {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			req := make([]byte, 4096)
			c.Read(req)
			io.WriteString(c, text)
		}()
		return l.Addr().(*net.TCPAddr).AddrPort()
	}
	p := New(Config{Env: env.Env{Net: netx.OS{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}})
	for _, tt := range []struct {
		name, text string
		want       Reply
		bad        bool
	}{
		{"accepted", "HTTP/1.0 200 Descriptor accepted\r\nX-Your-Address-Is: 1.2.3.4\r\n\r\n", Reply{200, "Descriptor accepted", false, addr4}, false},
		{"not new", "HTTP/1.0 200 OK\r\nX-Descriptor-Not-New: Yes\r\n\r\n", Reply{200, "OK", true, netip.Addr{}}, false},
		{"refused", "HTTP/1.0 400 Not\x1bok\r\nX-Your-Address-Is: nonsense\r\n\r\n", Reply{400, "Not?ok", false, netip.Addr{}}, false},
		{"redirect", "HTTP/1.0 302 Away\r\nLocation: http://127.0.0.1:1/\r\n\r\n", Reply{302, "Away", false, netip.Addr{}}, false},
		{"long reason", "HTTP/1.0 503 " + strings.Repeat("x", 5000) + "\r\n\r\n", Reply{503, strings.Repeat("x", maxReason), false, netip.Addr{}}, false},
		{"long head", "HTTP/1.0 200 OK\r\nA: " + strings.Repeat("x", 100_000), Reply{}, true},
		{"endless body", "HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat("x", 1<<20), Reply{200, "OK", false, netip.Addr{}}, false},
		{"garbage", "\x00\x01\x02", Reply{}, true},
		{"nothing", "", Reply{}, true},
	} {
		r, err := p.postHTTP(t.Context(), answer(tt.text), []byte("descriptor"), "test")
		if (err != nil) != tt.bad || err == nil && r != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}
