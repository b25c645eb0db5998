package attach

import (
	"context"
	"errors"
	"io"
	"log/slog"
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
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

var (
	id        = fakepeer.Identities(1)[0]
	relayAddr = netip.MustParseAddrPort("192.0.2.2:9001")
)

// bed is an Attacher whose circuits are new ones of one hop, to a fake exit.
type bed struct {
	*testing.T
	*Attacher
	relay *fakepeer.Relay
	link  *link.Link

	mu      sync.Mutex // guards the fields below
	err     error      // what the next request for a circuit gets
	needs   []circmgr.Need
	retired []uint64
}

// Exit implements Circuits.
func (b *bed) Exit(ctx context.Context, need circmgr.Need) (circmgr.Lease, error) {
	b.mu.Lock()
	b.needs = append(b.needs, need)
	n, err := len(b.needs), b.err
	b.mu.Unlock()
	if err != nil {
		return circmgr.Lease{}, err
	}
	c, err := circuit.CreateFast(ctx, b.link, circuit.Options{})
	if err != nil {
		return circmgr.Lease{}, err
	}
	return circmgr.Lease{Tunnel: c.Tunnel(), Exit: &netdir.Relay{RSA: [20]byte{byte(n)}}, Circ: uint64(n)}, nil
}

// Retire implements Circuits.
func (b *bed) Retire(circ uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retired = append(b.retired, circ)
}

func (b *bed) tries() int { b.mu.Lock(); defer b.mu.Unlock(); return len(b.needs) }

func run(t *testing.T, peer fakepeer.Config, cfg Config, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{Latency: 10 * time.Millisecond})
		client, host := n.Host("client", netip.MustParseAddr("192.0.2.1")), n.Host("relay", relayAddr.Addr())
		peer.Identity = id
		b := &bed{T: t, relay: fakepeer.New(t, peer)}
		l, err := host.Listen(t.Context(), "tcp", relayAddr.String())
		if err != nil {
			t.Fatal(err)
		}
		b.relay.Serve(l)
		log := slog.New(slog.DiscardHandler)
		links := link.NewRegistry(link.Config{
			Env:        env.Env{Net: client, Now: time.Now, Log: log},
			NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) },
		})
		defer links.Close()
		b.link, err = links.Get(t.Context(), link.Target{Addrs: []netip.AddrPort{relayAddr}, RSA: id.RSA(), HasRSA: true})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Circuits, cfg.Log = b, log
		b.Attacher = New(cfg)
		f(b)
	})
}

// exitOf is an exit whose handler depends on how many streams it has had.
func exitOf(handlers ...fakepeer.Handler) fakepeer.Config {
	var mu sync.Mutex
	n := 0
	return fakepeer.Config{Stream: func(string) fakepeer.Handler {
		mu.Lock()
		defer mu.Unlock()
		n++
		return handlers[min(n, len(handlers))-1]
	}}
}

func web(host string) Request {
	return Request{Host: host, Port: 80, Isolation: isolation.Key{User: "alice"}}
}

func TestDial(t *testing.T) {
	var target string
	peer := fakepeer.Config{Stream: func(s string) fakepeer.Handler { target = s; return fakepeer.Echo }}
	run(t, peer, Config{RejectInternal: true}, func(b *bed) {
		s, err := b.Dial(b.Context(), web("Example.COM."))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		io.WriteString(s, "hello")
		var buf [5]byte
		if _, err := io.ReadFull(s, buf[:]); err != nil || string(buf[:]) != "hello" {
			t.Errorf("%q, %v", buf, err)
		}
		if target != "example.com:80" {
			t.Errorf("the exit was asked for %q", target)
		}
		if n := b.needs[0]; n.Port != 80 || n.Addr.IsValid() || n.IPv6 || n.Isolation.User != "alice" || len(n.Avoid) != 0 {
			t.Errorf("need %+v", n)
		}
		if _, err := b.Dial(b.Context(), web("[2001:db8::1]")); err != nil {
			t.Error(err)
		}
		if n := b.needs[1]; target != "[2001:db8::1]:80" || n.Addr != netip.MustParseAddr("2001:db8::1") || !n.IPv6 {
			t.Errorf("target %q, need %+v", target, n)
		}
	})
}

// What must not leave does not, whatever else is wrong with it.
func TestDialRefused(t *testing.T) {
	run(t, fakepeer.Config{}, Config{RejectInternal: true}, func(b *bed) {
		for host, want := range map[string]error{
			"a.exit": ErrExitName, "10.0.0.1": ErrInternal, "": ErrBadHost, "a b": ErrBadHost,
		} {
			if _, err := b.Dial(b.Context(), web(host)); !errors.Is(err, want) {
				t.Errorf("Dial %q: %v, want %v", host, err, want)
			}
			if _, _, err := b.Resolve(b.Context(), web(host)); !errors.Is(err, want) {
				t.Errorf("Resolve %q: %v, want %v", host, err, want)
			}
			if _, err := b.ResolvePTR(b.Context(), web(host)); !errors.Is(err, want) {
				t.Errorf("ResolvePTR %q: %v, want %v", host, err, want)
			}
		}
		for _, req := range []Request{
			{Host: "example.com", Port: 80, NoIPv4: true, NoIPv6: true}, {Host: "192.0.2.1", Port: 80, NoIPv4: true}, {Host: "2001:db8::1", Port: 80, NoIPv6: true},
		} {
			if _, err := b.Dial(b.Context(), req); !errors.Is(err, ErrNoFamily) {
				t.Errorf("%+v: %v", req, err)
			}
		}
		if _, err := b.ResolvePTR(b.Context(), web("example.com")); !errors.Is(err, ErrBadHost) {
			t.Errorf("names of a name: %v", err)
		}
		if _, err := b.Dial(b.Context(), Request{Host: "example.com"}); err == nil {
			t.Error("port 0")
		}
		if n := b.tries(); n != 0 {
			t.Errorf("%d circuits were asked for", n)
		}
	})
}

// An exit that fails a stream is not asked again, and others are, up to three in all.
func TestRetry(t *testing.T) {
	refuse := fakepeer.Refuse
	tests := []struct {
		name     string
		exit     fakepeer.Config
		tries    int
		retired  []uint64
		reason   relaymsg.EndReason // of the error; 0 if it works
		timeout  bool
		duration time.Duration
		fails    bool // without a reason
		lost     int  // the first tries, whose circuits go away: no exit is to blame for them
	}{
		{name: "exit policy, then good", exit: exitOf(refuse(relaymsg.EndExitPolicy), fakepeer.Open), tries: 2},
		{name: "timeout, then good", exit: exitOf(refuse(relaymsg.EndTimeout), fakepeer.Open), tries: 2, retired: []uint64{1}},
		{name: "two that cannot resolve, then good", exit: exitOf(refuse(relaymsg.EndResolveFailed), refuse(relaymsg.EndResolveFailed), fakepeer.Open), tries: 3, retired: []uint64{1, 2}},
		{name: "none can resolve", exit: exitOf(refuse(relaymsg.EndResolveFailed)), tries: 3, retired: []uint64{1, 2, 3}, reason: relaymsg.EndResolveFailed},
		{name: "refused by the destination", exit: exitOf(refuse(relaymsg.EndConnectRefused)), tries: 1, reason: relaymsg.EndConnectRefused},
		{name: "silent, then good", exit: exitOf(fakepeer.Never, fakepeer.Open), tries: 2, retired: []uint64{1}, duration: 10 * time.Second},
		{name: "all silent", exit: exitOf(fakepeer.Never), tries: 3, retired: []uint64{1, 2, 3}, timeout: true, duration: 35 * time.Second},
		{name: "circuit ends, then good", exit: exitOf(func(s *fakepeer.Stream) { s.Circuit().Destroy(cell.DestroyHibernating) }, fakepeer.Open), tries: 2, retired: []uint64{1}, lost: 1},
		{name: "all circuits end", exit: exitOf(func(s *fakepeer.Stream) { s.Circuit().Destroy(cell.DestroyHibernating) }), tries: 9, retired: []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}, fails: true, lost: 9},
		{name: "circuit ends, then exit policy, then good", exit: exitOf(func(s *fakepeer.Stream) { s.Circuit().Destroy(cell.DestroyHibernating) }, refuse(relaymsg.EndExitPolicy), fakepeer.Open), tries: 3, retired: []uint64{1}, lost: 1},
	}
	for _, tt := range tests {
		run(t, tt.exit, Config{}, func(b *bed) {
			began := time.Now()
			s, err := b.Dial(b.Context(), web("example.com"))
			if err == nil {
				defer s.Close()
			}
			var end *stream.EndError
			var tried *StreamError
			var timeout interface{ Timeout() bool }
			switch {
			case tt.reason == 0 && !tt.timeout && !tt.fails:
				if err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			case !errors.As(err, &tried) || tried.Tries != tt.tries:
				t.Errorf("%s: %v", tt.name, err)
			case tt.timeout && (!errors.As(err, &timeout) || !timeout.Timeout()), tt.reason != 0 && (!errors.As(err, &end) || end.Reason != tt.reason):
				t.Errorf("%s: %v", tt.name, err)
			}
			if b.tries() != tt.tries || !slices.Equal(b.retired, tt.retired) {
				t.Errorf("%s: %d tries, retired %v; want %d, %v", tt.name, b.tries(), b.retired, tt.tries, tt.retired)
			}
			if d := time.Since(began); d < tt.duration || d > tt.duration+time.Second {
				t.Errorf("%s: took %v, want %v", tt.name, d, tt.duration)
			}
			for i, need := range b.needs {
				avoid := max(i-tt.lost, 0)
				if len(need.Avoid) != avoid || avoid > 0 && need.Avoid[avoid-1].RSA != [20]byte{byte(i)} {
					t.Errorf("%s: try %d avoids %d exits", tt.name, i+1, len(need.Avoid))
				}
			}
		})
	}
}

func TestStreamTimeout(t *testing.T) {
	run(t, exitOf(fakepeer.Never), Config{StreamTimeout: 5 * time.Second}, func(b *bed) {
		began := time.Now()
		if _, err := b.Dial(b.Context(), web("example.com")); err == nil || time.Since(began).Round(time.Second) != 15*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// Whoever gives up is told why at once, and leaves nothing behind.
func TestGiveUp(t *testing.T) {
	run(t, exitOf(fakepeer.Never), Config{}, func(b *bed) {
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(b.Context(), 3*time.Second, enough)
		defer cancel()
		began := time.Now()
		if _, err := b.Dial(ctx, web("example.com")); !errors.Is(err, enough) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if b.tries() != 1 || len(b.retired) != 0 {
			t.Errorf("%d tries, retired %v", b.tries(), b.retired)
		}
	})
}

// The errors of the circuits come back, or what went wrong before, if that says more.
func TestNoCircuit(t *testing.T) {
	down := &circmgr.BuildError{Err: errors.New("all guards are down")}
	avoided := &circmgr.BuildError{Err: &pathsel.Error{Position: netdir.Exit, Reason: pathsel.Avoided, Candidates: 1}}
	rejected := &circmgr.BuildError{Err: &pathsel.Error{Position: netdir.Exit, Reason: pathsel.Rejected, Port: 80}}
	for _, tt := range []struct {
		first, then, want error
	}{
		{first: down, want: down},
		{first: circmgr.ErrClosed, want: circmgr.ErrClosed},
		{first: rejected, want: ErrNoExit},
		{then: down, want: down},
		{then: rejected, want: ErrNoExit},
	} {
		run(t, exitOf(fakepeer.Refuse(relaymsg.EndTimeout)), Config{}, func(b *bed) {
			b.err = tt.first
			b.whenRetired(tt.then)
			if _, err := b.Dial(b.Context(), web("example.com")); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	run(t, exitOf(fakepeer.Refuse(relaymsg.EndTimeout)), Config{}, func(b *bed) {
		b.whenRetired(avoided)
		_, err := b.Dial(b.Context(), web("example.com"))
		var end *stream.EndError
		if !errors.As(err, &end) || end.Reason != relaymsg.EndTimeout {
			t.Errorf("the only exit timed out: %v", err)
		}
	})
}

// retiring makes requests fail once a circuit was retired.
type retiring struct {
	*bed
	err error
}

func (r retiring) Retire(circ uint64) {
	r.bed.Retire(circ)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bed.err = r.err
}

func (b *bed) whenRetired(err error) {
	if err != nil {
		b.cfg.Circuits = retiring{b, err}
	}
}

// Early data goes right behind BEGIN, on each circuit that is tried.
func TestEarly(t *testing.T) {
	got := make([]strings.Builder, 2)
	sink := func(i int, end func(*fakepeer.Stream)) fakepeer.Handler {
		return func(s *fakepeer.Stream) {
			var buf [5]byte
			io.ReadFull(s, buf[:])
			got[i].Write(buf[:])
			end(s)
		}
	}
	exit := exitOf(sink(0, func(s *fakepeer.Stream) { s.End(relaymsg.EndTimeout) }), sink(1, fakepeer.Open))
	run(t, exit, Config{}, func(b *bed) {
		calls := 0
		req := web("example.com")
		req.Early = func() []byte { calls++; return []byte("early") }
		s, err := b.Dial(b.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if calls != 2 || got[0].String() != "early" || got[1].String() != "early" {
			t.Errorf("%d calls, exits got %q and %q", calls, got[0].String(), got[1].String())
		}
	})
	run(t, exitOf(fakepeer.Open), Config{}, func(b *bed) {
		req := web("example.com")
		req.Early = func() []byte { return make([]byte, MaxEarly+1) }
		if _, err := b.Dial(b.Context(), req); err == nil {
			t.Error("more than fits was taken")
		}
	})
}

// An exit may resolve a name to an address of its own network.
func TestPrivateName(t *testing.T) {
	inside := func(s *fakepeer.Stream) { s.Accept(netip.MustParseAddr("192.168.1.1")); s.Wait() }
	run(t, exitOf(inside), Config{RejectInternal: true}, func(b *bed) {
		if _, err := b.Dial(b.Context(), web("rebind.example.com")); !errors.Is(err, ErrPrivateName) || b.tries() != 1 {
			t.Errorf("%v after %d tries", err, b.tries())
		}
	})
	run(t, exitOf(inside), Config{}, func(b *bed) {
		s, err := b.Dial(b.Context(), web("rebind.example.com"))
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	})
}

func addrs(texts ...string) (list []relaymsg.Answer) {
	for i, text := range texts {
		a := relaymsg.Answer{Type: relaymsg.AnswerIPv4, Addr: netip.MustParseAddr(text), TTL: uint32(600 - 60*i)}
		if a.Addr.Is6() {
			a.Type = relaymsg.AnswerIPv6
		}
		list = append(list, a)
	}
	return list
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name    string
		answers []relaymsg.Answer
		req     Request
		want    []string
		err     error
		reason  relaymsg.EndReason
		tries   int
	}{
		{name: "two", answers: addrs("192.0.2.7", "2001:db8::7"), want: []string{"192.0.2.7", "2001:db8::7"}, tries: 1},
		{name: "IPv4 only", answers: addrs("192.0.2.7", "2001:db8::7"), req: Request{NoIPv6: true}, want: []string{"192.0.2.7"}, tries: 1},
		{name: "IPv6 only", answers: addrs("192.0.2.7", "2001:db8::7"), req: Request{NoIPv4: true}, want: []string{"2001:db8::7"}, tries: 1},
		{name: "not of that family", answers: addrs("192.0.2.7"), req: Request{NoIPv4: true}, reason: relaymsg.EndResolveFailed, tries: 1},
		{name: "internal", answers: addrs("192.0.2.7", "10.0.0.1"), err: ErrPrivateName, tries: 1},
		{name: "error", answers: []relaymsg.Answer{{Type: relaymsg.AnswerError}}, reason: relaymsg.EndResolveFailed, tries: 3},
		{name: "transient error", answers: []relaymsg.Answer{{Type: relaymsg.AnswerErrorTransient}}, reason: relaymsg.EndResolveFailed, tries: 3},
		{name: "nothing", answers: []relaymsg.Answer{}, reason: relaymsg.EndResolveFailed, tries: 1},
	}
	for _, tt := range tests {
		peer := fakepeer.Config{Resolve: func(string) []relaymsg.Answer { return tt.answers }}
		run(t, peer, Config{RejectInternal: true}, func(b *bed) {
			tt.req.Host = "example.com"
			got, ttl, err := b.Resolve(b.Context(), tt.req)
			var end *stream.EndError
			switch {
			case tt.reason != 0 && (!errors.As(err, &end) || end.Reason != tt.reason), tt.reason == 0 && !errors.Is(err, tt.err):
				t.Errorf("%s: %v", tt.name, err)
			}
			var texts []string
			for _, a := range got {
				texts = append(texts, a.String())
			}
			if !slices.Equal(texts, tt.want) || b.tries() != tt.tries {
				t.Errorf("%s: %v after %d tries", tt.name, texts, b.tries())
			}
			if tt.name == "two" && ttl != 540*time.Second {
				t.Errorf("good for %v", ttl)
			}
			if !b.needs[0].Resolve {
				t.Errorf("%s: need %+v", tt.name, b.needs[0])
			}
		})
	}
	run(t, fakepeer.Config{}, Config{}, func(b *bed) {
		got, _, err := b.Resolve(b.Context(), web("192.0.2.9"))
		if err != nil || len(got) != 1 || got[0] != netip.MustParseAddr("192.0.2.9") || b.tries() != 0 {
			t.Errorf("an address: %v, %v", got, err)
		}
	})
}

func TestResolvePTR(t *testing.T) {
	var asked string
	var answers []relaymsg.Answer
	peer := fakepeer.Config{Resolve: func(name string) []relaymsg.Answer { asked = name; return answers }}
	run(t, peer, Config{RejectInternal: true}, func(b *bed) {
		answers = []relaymsg.Answer{{Type: relaymsg.AnswerName, Name: "a.example.com", TTL: 60}, {Type: relaymsg.AnswerName, Name: "b.example.com", TTL: 60}}
		got, err := b.ResolvePTR(b.Context(), web("192.0.2.7"))
		if err != nil || !slices.Equal(got, []string{"a.example.com", "b.example.com"}) || asked != "7.2.0.192.in-addr.arpa" {
			t.Errorf("%v, %v; asked for %q", got, err, asked)
		}
		answers = addrs("192.0.2.7")
		if _, err := b.ResolvePTR(b.Context(), web("2001:db8::7")); err == nil || !strings.HasSuffix(asked, "8.b.d.0.1.0.0.2.ip6.arpa") {
			t.Errorf("an address for a name: %v; asked for %q", err, asked)
		}
	})
}

func TestStreamErrorText(t *testing.T) {
	if got := (&StreamError{1, io.EOF}).Error(); got != "EOF" {
		t.Error(got)
	}
	if got := (&StreamError{3, io.EOF}).Error(); got != "EOF (tried 3 circuits)" {
		t.Error(got)
	}
	if !errors.Is(&StreamError{1, io.EOF}, io.EOF) {
		t.Error("does not unwrap")
	}
}
