package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

func TestResolve(t *testing.T) {
	h := zone(
		"www.example. 3600 IN A 203.0.113.1", "www.example. 3600 IN A 203.0.113.2", "www.example. 60 IN AAAA 2001:db8::1",
		"alias.example. 60 IN CNAME other.example.", "other.example. 60 IN CNAME www.example.",
		"four.example. 60 IN A 203.0.113.4", "text.example. 60 IN TXT hello",
		"mapped.example. 60 IN AAAA ::ffff:127.0.0.1",
	)
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		b.wantAddrs("www.example", both, "203.0.113.1 203.0.113.2 2001:db8::1")
		b.wantAddrs("WWW.Example.", Want{V4: true}, "203.0.113.1 203.0.113.2")
		b.wantAddrs("www.example", Want{V6: true}, "2001:db8::1")
		b.wantAddrs("alias.example", both, "203.0.113.1 203.0.113.2 2001:db8::1")
		b.wantAddrs("four.example", both, "203.0.113.4")
		b.wantErr("four.example", Want{V6: true}, ErrNotFound, true)
		b.wantErr("text.example", both, ErrNotFound, true)
		b.wantErr("none.example", both, ErrNotFound, true)
		b.wantErr("www.example", Want{}, ErrNotFound, true)
		b.wantErr("mapped.example", Want{V6: true}, ErrNotFound, true)

		before := b.servers[0].questions()
		b.wantAddrs("203.0.113.9", both, "203.0.113.9")
		b.wantAddrs("2001:DB8::9", both, "2001:db8::9")
		b.wantAddrs("[2001:db8::9]", both, "2001:db8::9")
		b.wantAddrs("::ffff:203.0.113.9", both, "203.0.113.9")
		b.wantErr("2001:db8::9", Want{V4: true}, ErrNotFound, true)
		for _, host := range []string{
			"", ".", "a..example", ".example", "host.onion", "host.ONION.", "host.exit", "x.noconnect", "onion", "localhost", "a.localhost",
			"printer.local", "1.2.0.192.in-addr.arpa", "b.a.ip6.arpa", "fe80::1%eth0", "a b.example", "a\x00.example", "ä.example", "a/b.example",
			"host.onion ", "host.onion\n", strings.Repeat("a", 64) + ".example", strings.Repeat("abcdefg.", 32) + "example", `a\.example`,
		} {
			b.wantErr(host, both, ErrBadName, true)
		}
		if n := b.servers[0].questions(); n != before {
			t.Errorf("%d questions for what needs none", n-before)
		}
	})
}

func TestOddNames(t *testing.T) {
	odd := "a\\b(c)\"é@d.example"
	var got []string
	h := func(x *exchange) {
		got = append(got, x.q.Question[0].Name)
		x.reply(x.msg(x.q.Question[0].Name + " 60 IN A 203.0.113.1"))
	}
	inBed(t, 1, h, func(c *Config) { c.AllowNonRFC953Hostnames, c.NoRandomizeCase = true, true }, func(t *testing.T, b *bed) {
		b.wantAddrs(odd, Want{V4: true}, "203.0.113.1")
		if want := `a\\b\(c\)\"\195\169\@d.example.`; len(got) != 1 || got[0] != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		b.wantErr("a b.example", both, ErrBadName, true)
		b.wantErr("a.onion\t", both, ErrBadName, true)
	})
}

func TestReverse(t *testing.T) {
	h := zone(
		"9.113.0.203.in-addr.arpa. 7200 IN PTR host.example.", "9.113.0.203.in-addr.arpa. 7200 IN PTR Other.example.",
		"8.113.0.203.in-addr.arpa. 7200 IN CNAME 8.sub.example.", "8.sub.example. 60 IN PTR delegated.example.",
		`7.113.0.203.in-addr.arpa. 60 IN PTR evil\010name.example.`,
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR six.example.",
	)
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		for _, tt := range []struct{ addr, want string }{
			{"203.0.113.9", "host.example Other.example"},
			{"::ffff:203.0.113.8", "delegated.example"},
			{"2001:db8::1", "six.example"},
		} {
			names, ttl, err := b.r.Reverse(t.Context(), netip.MustParseAddr(tt.addr))
			if strings.Join(names, " ") != tt.want || err != nil || ttl < time.Minute {
				t.Errorf("%s: got %v, %v, %v; want %s", tt.addr, names, ttl, err, tt.want)
			}
		}
		for _, tt := range []struct {
			addr string
			want error
		}{
			{"203.0.113.6", ErrNotFound}, {"203.0.113.7", ErrNotFound}, {"10.1.2.3", ErrBadName}, {"127.0.0.1", ErrBadName},
			{"::1", ErrBadName}, {"fe80::1", ErrBadName}, {"fd00::1", ErrBadName}, {"::ffff:192.168.0.1", ErrBadName}, {"2001:db8::1%x", ErrBadName},
		} {
			names, _, err := b.r.Reverse(t.Context(), netip.MustParseAddr(tt.addr))
			checkErr(t, tt.addr, names, err, tt.want, true)
		}
		_, _, err := b.r.Reverse(t.Context(), netip.Addr{})
		checkErr(t, "no address", nil, err, ErrBadName, true)
	})
}

func TestSearchDomains(t *testing.T) {
	h := zone("www.one.example. 60 IN A 203.0.113.1", "www.two.example. 60 IN A 203.0.113.2", "a.b. 60 IN A 203.0.113.3",
		"a.b.two.example. 60 IN A 203.0.113.4", "www. 60 IN A 203.0.113.5", "c.d.two.example. 60 IN A 203.0.113.6")
	inBed(t, 1, h, func(c *Config) { c.SearchDomains = true }, func(t *testing.T, b *bed) {
		b.setConf(b.conf + "search one.example two.example\n")
		b.wantAddrs("www", Want{V4: true}, "203.0.113.1")
		b.wantAddrs("www.", Want{V4: true}, "203.0.113.5")
		b.wantAddrs("a.b", Want{V4: true}, "203.0.113.3")
		b.wantAddrs("c.d", Want{V4: true}, "203.0.113.6")
		b.wantErr("none", Want{V4: true}, ErrNotFound, true)
		b.setConf(b.conf + "options ndots:2\n")
		b.r.Reload()
		b.wantAddrs("a.b", Want{V4: true}, "203.0.113.4")
		long := strings.Repeat("abcdefg.", 30) + "b" // too long with the domains
		b.wantErr(long, Want{V4: true}, ErrNotFound, true)
	})
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		b.setConf(b.conf + "search one.example\n")
		b.wantAddrs("www", Want{V4: true}, "203.0.113.5")
	})
}

// Both families are asked at once, and each question once for all who ask.
func TestOneQuestionForAll(t *testing.T) {
	h := func(x *exchange) {
		x.s.sleep(300 * time.Millisecond)
		zone("www.example. 60 IN A 203.0.113.1", "www.example. 60 IN AAAA 2001:db8::1")(x)
	}
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		start := time.Now()
		var wg sync.WaitGroup
		var answers [50]Answer
		for i := range answers {
			wg.Go(func() { answers[i] = b.wantAddrs("www.example", both, "203.0.113.1 2001:db8::1") })
		}
		wg.Wait()
		if got := time.Since(start); got != 300*time.Millisecond+2*latency {
			t.Errorf("took %v", got)
		}
		if n := b.servers[0].questions(); n != 2 {
			t.Errorf("%d questions, want 2", n)
		}
		for _, a := range answers {
			if a.TTL != answers[0].TTL {
				t.Errorf("TTL %v here, %v there", a.TTL, answers[0].TTL)
			}
		}
	})
}

func TestLeaving(t *testing.T) {
	h := func(x *exchange) {
		x.s.sleep(500 * time.Millisecond)
		zone("www.example. 60 IN A 203.0.113.1")(x)
	}
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			a, err := b.r.Resolve(short, "www.example", Want{V4: true})
			checkErr(t, "whose time is up", a, err, context.DeadlineExceeded, false)
			if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
				t.Errorf("%v is no timeout", err)
			}
		})
		synctest.Wait()
		b.wantAddrs("www.example", Want{V4: true}, "203.0.113.1") // he who asked first leaves; the question goes on
		wg.Wait()
		if n := b.servers[0].questions(); n != 1 {
			t.Errorf("%d questions, want 1", n)
		}

		// When nobody is left, nothing goes on.
		short, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := b.r.Resolve(short, "other.example", both)
		checkErr(t, "alone", nil, err, context.DeadlineExceeded, false)
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("who leaves waits until %v", d)
		}
		if n := b.exit.Sockets(); n != 0 {
			t.Errorf("%d sockets left", n)
		}
		if a, _ := b.r.Memory(); a != 1 {
			t.Errorf("%d answers in the cache, want 1", a)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = b.r.Resolve(canceled, "third.example", both)
		checkErr(t, "canceled", nil, err, context.Canceled, false)
	})
}

// Who comes while a look-up is given up, which may take a moment, has one of his own.
func TestComingAndLeaving(t *testing.T) {
	h := func(x *exchange) {
		x.s.sleep(100 * time.Millisecond)
		always(good)(x)
	}
	mod := func(c *Config) { c.Env.Net = &stubborn{onlyTCP: onlyTCP{c.Env.Net}} }
	inBed(t, 1, h, mod, func(t *testing.T, b *bed) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { b.r.Resolve(ctx, "www.example", Want{V4: true}) })
		for _, at := range []time.Duration{120, 130, 160} {
			wg.Go(func() {
				time.Sleep(at * time.Millisecond)
				b.wantAddrs("www.example", Want{V4: true}, good)
			})
		}
		wg.Wait()
		if n := b.servers[0].questions(); n != 1 {
			t.Errorf("%d questions, want 1 for those who came later", n)
		}
	})
}

// stubborn is first used in vain, and takes a while to notice that it is not needed any more.
type stubborn struct {
	onlyTCP
	done atomic.Bool
}

func (s *stubborn) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !s.done.Swap(true) {
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond)
		return nil, ctx.Err()
	}
	return s.onlyTCP.Dial(ctx, network, addr)
}

// A try that fails by a bug of ours is a try that is not answered.
func TestPanic(t *testing.T) {
	mod := func(c *Config) { c.Env.Net = &panicky{onlyTCP: onlyTCP{c.Env.Net}} }
	inBed(t, 1, always(good), mod, func(t *testing.T, b *bed) {
		start := time.Now()
		b.wantAddrs("www.example", Want{V4: true}, good)
		if d := time.Since(start); d != time.Second+4*latency {
			t.Errorf("took %v", d)
		}
	})
}

// panicky panics when it is first used.
type panicky struct {
	onlyTCP
	done atomic.Bool
}

func (p *panicky) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !p.done.Swap(true) {
		panic("resolver: test")
	}
	return p.onlyTCP.Dial(ctx, network, addr)
}

func TestLimits(t *testing.T) {
	inBed(t, 1, silent, func(c *Config) { c.MaxInflight, c.MaxQueued = 2, 1 }, func(t *testing.T, b *bed) {
		b.setConf(b.conf + "options timeout:15\n")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, host := range []string{"a.example", "b.example"} {
			wg.Go(func() { b.r.Resolve(ctx, host, Want{V4: true}) })
		}
		synctest.Wait()
		start := time.Now()
		wg.Go(func() {
			_, err := b.r.Resolve(t.Context(), "c.example", Want{V4: true})
			checkErr(t, "queued for too long", nil, err, ErrBusy, false)
			if d := time.Since(start); d != maxWait {
				t.Errorf("waited %v", d)
			}
		})
		synctest.Wait()
		b.wantErr("d.example", Want{V4: true}, ErrBusy, false)
		b.wantErr("d.example", both, ErrBusy, false)
		time.Sleep(maxWait + 1)
		if n := b.servers[0].questions(); n != 2 {
			t.Errorf("%d questions, want 2", n)
		}
		cancel()
		wg.Wait()
		if s := b.r.Stats(); s.Busy != 4 {
			t.Errorf("Busy = %d, want 4", s.Busy)
		}
	})
}

func TestStats(t *testing.T) {
	inBed(t, 1, zone("www.example. 60 IN A 203.0.113.1"), nil, func(t *testing.T, b *bed) {
		b.wantAddrs("www.example", both, "203.0.113.1")
		b.wantAddrs("www.example", both, "203.0.113.1")
		b.r.Reverse(t.Context(), netip.MustParseAddr("203.0.113.1"))
		b.servers[0].setHandler(code(dns.RcodeServerFailure))
		b.wantErr("a.example", Want{V4: true}, ErrServer, false)
		b.servers[0].setHandler(silent)
		b.wantErr("b.example", Want{V4: true}, ErrTimeout, false)
		want := Stats{A: 3, AAAA: 1, PTR: 1, Found: 1, NotFound: 2, Failed: 1, TimedOut: 1, Cached: 2}
		if got := b.r.Stats(); got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	})
}
