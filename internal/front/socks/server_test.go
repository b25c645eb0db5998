package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

var loopback = netip.MustParseAddr("127.0.0.1")

var keys = cmp.Options{
	cmp.Comparer(func(a, b isolation.Key) bool { return a == b }),
	cmpopts.IgnoreFields(Request{}, "Early"),
}

func TestConnect(t *testing.T) {
	group := isolation.SessionGroup(1)
	for _, tt := range []struct {
		name string
		cfg  Config
		req  socksmsg.Request
		want Request
	}{
		{"SOCKS4", Config{},
			socksmsg.Request{Version: 4, Command: socksmsg.Connect, Host: "192.0.2.1", Port: 80, ByAddr: true, User: "u"},
			Request{Host: "192.0.2.1", Port: 80, Traffic: Traffic{NoIPv6: true},
				Isolation: isolation.Key{Group: group, Client: loopback, User: "u"}}},
		{"SOCKS4a", Config{Isolation: isolation.Rules{ClientProtocol: true}},
			socksmsg.Request{Version: 4, Command: socksmsg.Connect, Host: "example.com", Port: 80},
			Request{Host: "example.com", Port: 80, Traffic: Traffic{NoIPv6: true},
				Isolation: isolation.Key{Group: group, Client: loopback, Protocol: isolation.SOCKS4}}},
		{"SOCKS5", Config{Traffic: Traffic{NoOnion: true}}, example,
			Request{Host: "example.com", Port: 80, Traffic: Traffic{NoOnion: true},
				Isolation: isolation.Key{Group: group, Client: loopback}}},
		{"user and password", Config{KeepAlive: true},
			socksmsg.Request{Version: 5, Command: socksmsg.Connect, Host: "EXAMPLE.com", Port: 80, User: "<torS0X>0", Pass: "p"},
			Request{Host: "example.com", Port: 80, KeepAlive: true,
				Isolation: isolation.Key{Group: group, Client: loopback, User: "<torS0X>0", Pass: "p"}}},
		{"keep alive without a password", Config{KeepAlive: true}, example,
			Request{Host: "example.com", Port: 80, Isolation: isolation.Key{Group: group, Client: loopback}}},
		{"isolation by all else", Config{Isolation: isolation.Rules{NoClientAddr: true, NoSOCKSAuth: true, ClientProtocol: true, DestPort: true, DestAddr: true}}, example,
			Request{Host: "example.com", Port: 80,
				Isolation: isolation.Key{Group: group, Protocol: isolation.SOCKS5, Host: "example.com", Port: 80}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Group = group
			run(t, tt.cfg, func(b *bed) {
				near, far := b.pair()
				var got Request
				b.tor.dial = func(_ context.Context, req Request) (Stream, error) { got = req; return near, nil }
				a := b.connect()
				if _, err := a.ask(tt.req); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got, keys); diff != "" {
					t.Errorf("request (-want +got):\n%s", diff)
				}
				a.send("ping")
				want(t, far, "ping")
				send(t, far, "pong")
				a.want("pong")
				a.Close()
				wantEnd(t, far)
				far.Close()
			})
		})
	}
}

// Ports without a session group are isolated from each other.
func TestGroups(t *testing.T) {
	if a, b := New(nil, Config{}), New(nil, Config{}); a.cfg.Group == b.cfg.Group {
		t.Error("two servers share a group")
	}
}

// torsocks expects the reply to a connection over IPv6 to hold an IPv6 address.
func TestReplyFamily(t *testing.T) {
	runAt(t, "[::1]:0", Config{}, func(b *bed) {
		b.dialOne()
		a := b.connect()
		if r, err := a.ask(example); err != nil || r.Addr != netip.IPv6Unspecified() {
			t.Errorf("reply %+v, %v", r, err)
		}
	})
}

func TestLookups(t *testing.T) {
	a4, a6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	long := string(make([]byte, 256))
	for _, tt := range []struct {
		name    string
		version uint8
		command socksmsg.Command
		addrs   []netip.Addr
		names   []string
		want    socksmsg.Reply
	}{
		{"SOCKS5", 5, socksmsg.Resolve, []netip.Addr{a4, a6}, nil, socksmsg.Reply{Addr: a4}},
		{"SOCKS5 IPv6", 5, socksmsg.Resolve, []netip.Addr{a6, a4}, nil, socksmsg.Reply{Addr: a6}},
		{"SOCKS5 mapped", 5, socksmsg.Resolve, []netip.Addr{netip.AddrFrom16(a4.As16())}, nil, socksmsg.Reply{Addr: a4}},
		{"SOCKS4 takes no IPv6", 4, socksmsg.Resolve, []netip.Addr{a6, a4}, nil, socksmsg.Reply{Addr: a4}},
		{"SOCKS4 IPv6 only", 4, socksmsg.Resolve, []netip.Addr{a6}, nil,
			socksmsg.Reply{Code: socksmsg.GeneralFailure, Addr: netip.IPv4Unspecified()}},
		{"nothing", 5, socksmsg.Resolve, nil, nil,
			socksmsg.Reply{Code: socksmsg.HostUnreachable, Addr: netip.IPv4Unspecified()}},
		{"reverse", 5, socksmsg.ResolvePTR, nil, []string{"", long, "host.example"}, socksmsg.Reply{Name: "host.example"}},
		{"reverse, nothing", 5, socksmsg.ResolvePTR, nil, []string{long},
			socksmsg.Reply{Code: socksmsg.HostUnreachable, Addr: netip.IPv4Unspecified()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, Config{}, func(b *bed) {
				var host string
				b.tor.resolve = func(_ context.Context, req Request) ([]netip.Addr, uint32, error) {
					host = req.Host
					return tt.addrs, 60, nil
				}
				b.tor.ptr = func(_ context.Context, req Request) ([]string, error) {
					host = req.Host
					return tt.names, nil
				}
				asked := socksmsg.Request{Version: tt.version, Command: tt.command, Host: "192.0.2.7", ByAddr: true}
				a := b.connect()
				got, err := a.ask(asked)
				if got != tt.want || (err == nil) != (tt.want.Code == socksmsg.Succeeded) || host != asked.Host {
					t.Errorf("asked for %q, got %+v, %v, want %+v", host, got, err, tt.want)
				}
				a.wantEnd()
			})
		})
	}
}

// knowing is an error that knows its reply.
type knowing struct{ code socksmsg.ReplyCode }

func (knowing) Error() string                    { return "x" }
func (k knowing) SOCKSReply() socksmsg.ReplyCode { return k.code }
func endCode(r relaymsg.EndReason) error         { return knowing{ReplyForEnd(r)} }
func extended(c *Config)                         { c.ExtendedErrors = true }
func always(code socksmsg.ReplyCode) func(c *Config) {
	return func(c *Config) { c.ReplyCode = func(error) socksmsg.ReplyCode { return code } }
}

// C tor: stream_end_reason_to_socks5_response.
func TestFailures(t *testing.T) {
	plain := func(*Config) {}
	for _, tt := range []struct {
		name string
		set  func(*Config)
		err  error
		want socksmsg.ReplyCode
	}{
		{"unknown", plain, errors.New("x"), 1},
		{"exit policy", plain, endCode(relaymsg.EndExitPolicy), 2},
		{"no route", plain, endCode(relaymsg.EndNoRoute), 4},
		{"resolve failed", plain, endCode(relaymsg.EndResolveFailed), 4},
		{"refused", plain, endCode(relaymsg.EndConnectRefused), 5},
		{"reset", plain, endCode(relaymsg.EndConnReset), 5},
		{"done before it began", plain, endCode(relaymsg.EndDone), 5},
		{"time ran out", plain, endCode(relaymsg.EndTimeout), 6},
		{"hibernating", plain, endCode(relaymsg.EndHibernating), 1},
		{"resource limit", plain, endCode(relaymsg.EndResourceLimit), 1},
		{"deadline", plain, context.DeadlineExceeded, 6},
		{"bad onion address, plain", plain, knowing{socksmsg.OnionBadAddress}, 1},
		{"bad onion address, extended", extended, knowing{socksmsg.OnionBadAddress}, 0xF6},
		{"own mapping", always(3), errors.New("x"), 3},
		{"own mapping is wrong", always(0), errors.New("x"), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var cfg Config
			tt.set(&cfg)
			run(t, cfg, func(b *bed) {
				b.tor.dial = func(context.Context, Request) (Stream, error) { return nil, tt.err }
				a := b.connect()
				_, err := a.ask(example)
				if r, ok := errors.AsType[socksmsg.RefusedError](err); !ok || r.Code != tt.want {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				a.wantEnd()
			})
		})
	}
}

func TestHandshakeFailures(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"browser", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", httpPage},
		{"proxied browser", "CONNECT a:443 HTTP/1.1\r\n\r\n", httpPage},
		{"garbage", "\x16\x03\x01\x02\x00", ""},
		{"nothing", "", ""},
		{"half a greeting", "\x05\x02\x00", ""},
		{"GSSAPI", "\x05\x01\x01", "\x05\xFF"},
		{"BIND", "\x05\x01\x00\x05\x02\x00\x01\x01\x01\x01\x01\x01\x01", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00"},
		{"SOCKS4 BIND", "\x04\x02\x01\x01\x01\x01\x01\x01\x00", "\x00\x5B\x00\x00\x00\x00\x00\x00"},
		{"endless SOCKS4 user", "\x04\x01\x01\x01\x01\x01\x01\x01" + longUser, "\x00\x5B\x00\x00\x00\x00\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, Config{}, func(b *bed) {
				a := b.connect()
				a.send(tt.in)
				a.CloseWrite()
				a.want(tt.want)
				a.wantEnd()
			})
		})
	}
}

var longUser = strings.Repeat("u", 100_000)

// A client that sends a byte now and then must not hold its connection for longer than one that sends nothing.
func TestSlowHandshake(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		begin := time.Now()
		a := b.connect()
		var wg sync.WaitGroup
		var ended time.Duration
		wg.Go(func() { a.wantEnd(); ended = time.Since(begin) })
		a.send("\x04\x01\x00\x50\x01\x01\x01\x01")
		for range 11 {
			time.Sleep(10 * time.Second)
			a.send("u")
		}
		wg.Wait()
		if ended != defaultTimeout {
			t.Errorf("closed after %v, want %v", ended, defaultTimeout)
		}
	})
}

func TestDialTimeout(t *testing.T) {
	run(t, Config{Timeout: time.Minute}, func(b *bed) {
		b.tor.dial = func(ctx context.Context, _ Request) (Stream, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		begin := time.Now()
		_, err := b.connect().ask(example)
		if r, ok := errors.AsType[socksmsg.RefusedError](err); !ok || r.Code != socksmsg.TTLExpired {
			t.Errorf("got %v, want %v", err, socksmsg.TTLExpired)
		}
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("took %v, want a minute", d)
		}
	})
}

func TestClientGoesWhileDialing(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		canceled := make(chan error, 1)
		b.tor.dial = func(ctx context.Context, _ Request) (Stream, error) {
			<-ctx.Done()
			canceled <- ctx.Err()
			return nil, ctx.Err()
		}
		a := b.connect()
		a.send(connectExample + "early")
		time.Sleep(time.Second)
		begin := time.Now()
		a.Close()
		if err := <-canceled; !errors.Is(err, context.Canceled) || time.Since(begin) != 0 {
			t.Errorf("Dial saw %v after %v, want an immediate cancel", err, time.Since(begin))
		}
	})
}

func TestShutdown(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		b.tor.dial = func(ctx context.Context, _ Request) (Stream, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		b.tor.resolve = func(ctx context.Context, _ Request) ([]netip.Addr, uint32, error) {
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}
		silent, dialing, resolving, open := b.connect(), b.connect(), b.connect(), b.connect()
		dialing.send(connectExample)
		resolving.send("\x04\xF0\x00\x00\x00\x00\x00\x01\x00a\x00")
		synctest.Wait()
		far := b.dialOne()
		open.send(connectExample)
		open.want(ok5)
		open.CloseWrite() // so that only the stream could end the other direction
		wantEnd(t, far)
		begin := time.Now()
		b.stop()
		if d := time.Since(begin); d != 0 {
			t.Errorf("took %v to stop", d)
		}
		silent.wantEnd()
		open.wantEnd()
		for _, a := range []*app{dialing, resolving} {
			if _, err := io.ReadAll(a); err != nil { // they may or may not be told of the failure
				t.Error(err)
			}
		}
	})
}

func TestSafeSocks(t *testing.T) {
	mapped := netip.MustParseAddr("127.192.0.1")
	by := func(version uint8, host string, byAddr bool) socksmsg.Request {
		return socksmsg.Request{Version: version, Command: socksmsg.Connect, Host: host, Port: 80, ByAddr: byAddr}
	}
	for _, tt := range []struct {
		name string
		req  socksmsg.Request
		want socksmsg.ReplyCode
	}{
		{"name", by(5, "example.com", false), socksmsg.Succeeded},
		{"SOCKS4a name", by(4, "example.com", false), socksmsg.Succeeded},
		{"address that we handed out", by(5, mapped.String(), true), socksmsg.Succeeded},
		{"address", by(5, "192.0.2.1", true), socksmsg.NotAllowed},
		{"IPv6 address", by(5, "2001:db8::1", true), socksmsg.NotAllowed},
		{"SOCKS4 address", by(4, "192.0.2.1", true), socksmsg.GeneralFailure},
	} {
		for _, on := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				cfg := Config{SafeSocks: on, TestSocks: true, Mapped: func(a netip.Addr) bool { return a == mapped }}
				run(t, cfg, func(b *bed) {
					b.dialOne()
					got, _ := b.connect().ask(tt.req)
					if want := tt.want; got.Code != want && on || got.Code != socksmsg.Succeeded && !on {
						t.Errorf("SafeSocks %v: %v, want %v", on, got.Code, want)
					}
				})
			})
		}
	}
}

func TestAllow(t *testing.T) {
	run(t, Config{Allow: func(a netip.Addr) bool { return a != loopback }}, func(b *bed) {
		b.connect().wantEnd()
	})
}

func TestPanicIsContained(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		before := safego.Panics()
		b.tor.dial = func(context.Context, Request) (Stream, error) { panic("test") }
		a := b.connect()
		a.send(connectExample)
		a.want("\x05\x00")
		a.wantEnd()
		synctest.Wait()
		if safego.Panics() != before+1 {
			t.Error("no panic was counted")
		}
		b.dialOne()
		if _, err := b.connect().ask(example); err != nil {
			t.Errorf("the server is dead after a panic: %v", err)
		}
	})
}

// flaky is a listener that fails at first.
type flaky struct {
	net.Listener
	failures int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failures--; f.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAcceptFailures(t *testing.T) {
	run(t, Config{}, func(b *bed) {
		l, err := b.host.Listen(b.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b.addr = l.Addr().String()
		b.dialOne()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := New(b.tor, Config{}).Serve(b.Context(), &flaky{l, 20}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Serve: %v", err)
			}
		})
		if _, err := b.connect().ask(example); err != nil {
			t.Error(err)
		}
		b.connect().Close()
		l.Close()
		b.stop()
		wg.Wait()
	})
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		got := []bool{th.allow(), th.allow()}
		time.Sleep(warnInterval)
		got = append(got, th.allow(), th.allow())
		if diff := cmp.Diff([]bool{true, false, true, false}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
