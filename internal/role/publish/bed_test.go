package publish

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// The keys of a relay at its start, after some hours, when those for links are others, and after a month, when all have
// changed that do. They are made before any bubble begins: that takes time.
var keysFirst, keysLinks, keysMonth = func() (a, b, c *relaykeys.Snapshot) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	k, _, err := relaykeys.Load(relaykeys.Config{}, new(statefile.Mem), start)
	if err != nil {
		panic(err)
	}
	advance := func(d time.Duration) *relaykeys.Snapshot {
		if _, err := k.Advance(start.Add(d)); err != nil {
			panic(err)
		}
		return k.Current()
	}
	return k.Current(), advance(3 * time.Hour), advance(29 * 24 * time.Hour)
}()

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

var (
	addr4 = addr("1.2.3.4")
	addr6 = addr("2001:db8::1")
	auth  = []Authority{
		{Name: "a", Dir: []netip.AddrPort{netip.MustParseAddrPort("9.0.0.1:80")}},
		{Name: "b", Dir: []netip.AddrPort{netip.MustParseAddrPort("9.0.0.2:80")}},
	}
)

// A bed is a publisher and what it talks to. The fields that tests set are what the hooks of its Config answer.
type bed struct {
	*testing.T
	p      *Publisher
	events *event.Sub

	mu         sync.Mutex // guards the fields below
	log        strings.Builder
	posts      map[netip.AddrPort][]*routerdesc.Descriptor
	reasons    []string
	reply      func(to netip.AddrPort) (Reply, error)
	tests      map[netip.AddrPort]int
	bandwidths int
	learned    int
	lookups    int
	clock      time.Duration // that the wall clock is off

	observed   uint64
	net        Network
	unready    bool
	skewed     bool
	overloaded time.Time
	system     []netip.Addr
	names      map[string][]netip.Addr
	testErr    error
	extra      *ExtraInfo
	keys       *relaykeys.Snapshot
	policy     exitpolicy.Config
}

// Write takes what is logged.
func (b *bed) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

// set changes what hooks answer.
func (b *bed) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// get returns a field.
func get[T any](b *bed, field *T) T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *field
}

// locked makes a hook that answers with a field.
func locked[T any](b *bed, field *T) func() T { return func() T { return get(b, field) } }

func (b *bed) config(i Info) Config {
	var bus event.Bus
	b.events = bus.Subscribe(1000)
	return Config{
		Env:    env.Env{Now: func() time.Time { return time.Now().Add(get(b, &b.clock)) }, Log: slog.New(slog.NewTextHandler(b, nil))},
		Info:   i,
		Events: &bus,
		Policy: func(own []netip.Addr) exitpolicy.Policy {
			c := get(b, &b.policy)
			c.RejectAddrs = own
			return exitpolicy.Own(c)
		},
		Keys: locked(b, &b.keys), Authorities: auth,
		Network:    func(time.Time) Network { return get(b, &b.net) },
		Observed:   locked(b, &b.observed),
		Overloaded: locked(b, &b.overloaded),
		Skewed:     locked(b, &b.skewed),
		Ready:      func() bool { return !get(b, &b.unready) },
		ExtraInfo:  func(string, time.Time) (*ExtraInfo, error) { return get(b, &b.extra), nil },
		Interfaces: func() ([]netip.Addr, error) { return slices.Clone(get(b, &b.system)), nil },
		Lookup:     b.lookup,
		Learn:      func(context.Context) error { b.set(func() { b.learned++ }); return nil },
		Test: func(_ context.Context, to netip.AddrPort) error {
			b.set(func() { b.tests[to]++ })
			return get(b, &b.testErr)
		},
		TestBandwidth: func(context.Context) error {
			b.set(func() { b.bandwidths++ })
			return get(b, &b.testErr)
		},
		Post: b.post,
	}
}

type noSuchName struct{}

func (noSuchName) Error() string { return "no such name" }

func (b *bed) lookup(_ context.Context, name string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lookups++
	if list, ok := b.names[name]; ok {
		return list, nil
	}
	return nil, noSuchName{}
}

func (b *bed) post(_ context.Context, to netip.AddrPort, body []byte, reason string) (Reply, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, _, _ := strings.Cut(string(body), "extra-info ")
	d, err := routerdesc.Parse([]byte(text))
	if err != nil {
		b.Errorf("upload: %v", err)
	}
	b.posts[to] = append(b.posts[to], d)
	b.reasons = append(b.reasons, reason)
	if b.reply != nil {
		return b.reply(to)
	}
	return Reply{Status: 200}, nil
}

// run lets a publisher run in a bubble, while f does what it does.
func run(t *testing.T, info func(*Info), f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{
			T: t, posts: map[netip.AddrPort][]*routerdesc.Descriptor{}, tests: map[netip.AddrPort]int{}, observed: 60_000,
			keys: keysFirst, policy: exitpolicy.Config{Ending: exitpolicy.EndDefault},
		}
		i := Info{
			Nickname: "me", Platform: "Tor 0.4.9.11 on Linux", Protocols: "Link=3-5", Addrs: []netip.Addr{addr4}, Port: 9001, Rate: 1 << 30, Burst: 1 << 30,
			Publish: true, AssumeIPv4: true, DirCache: true,
		}
		if info != nil {
			info(&i)
		}
		b.p = New(b.config(i))
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

// tested returns how many tests of an address there were.
func (b *bed) tested(or netip.AddrPort) int {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tests[or]
}

// want checks how many uploads there were so far, and returns the last descriptor.
func (b *bed) want(n1, n2 int) *routerdesc.Descriptor {
	b.Helper()
	got1, got2, last := b.uploads()
	if got1 != n1 || got2 != n2 {
		b.Fatalf("%d and %d uploads, want %d and %d; reasons %q; log: %s", got1, got2, n1, n2, get(b, &b.reasons), b.text())
	}
	return last
}

// wantReason checks why the last upload was made.
func (b *bed) wantReason(want string) {
	b.Helper()
	if list := get(b, &b.reasons); len(list) == 0 || list[len(list)-1] != want {
		b.Errorf("reasons %q, the last should be %q", list, want)
	}
}

// text returns all that was logged.
func (b *bed) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func (b *bed) wantLogged(n int, text string) {
	b.Helper()
	synctest.Wait()
	if got := strings.Count(b.text(), text); got != n {
		b.Errorf("%q was logged %d times, want %d: %s", text, got, n, b.text())
	}
}

// happened returns the events of a type so far, and forgets all others.
func happened[T any](b *bed) (list []T) {
	synctest.Wait()
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	for {
		e, err := b.events.Next(ctx)
		if err != nil {
			return list
		}
		if e, ok := e.(T); ok {
			list = append(list, e)
		}
	}
}
