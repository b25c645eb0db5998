package server

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/publish"
)

var serverAddr = netip.MustParseAddrPort("192.0.2.1:9001")

// A bed is a relay in a network in memory, of which it is the only one.
type bed struct {
	t      testing.TB
	net    *memnet.Net
	host   *memnet.Host // the relay's
	files  *statefile.Mem
	server *Server
	log    *slog.Logger
}

// failing is a log in which nothing may be as bad as an error: panics that were contained are.
type failing struct{ t testing.TB }

func (failing) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f failing) WithAttrs([]slog.Attr) slog.Handler         { return f }
func (f failing) WithGroup(string) slog.Handler              { return f }
func (f failing) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		f.t.Errorf("log: %s: %v", r.Message, a)
		return true
	})
	return nil
}

// newBed starts a relay. The end of the test ends it.
func newBed(t testing.TB, change func(*Config)) *bed {
	b := &bed{t: t, net: memnet.New(memnet.Link{}), files: new(statefile.Mem), log: slog.New(failing{t})}
	b.host = b.net.Host("relay", serverAddr.Addr())
	host := b.host
	e := env.Env{Net: host, Now: time.Now, Log: b.log, State: b.files}
	st, err := state.Open(e, "test")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Env: e, State: st, DirCache: true, ExtendPrivate: true,
		Info: publish.Info{Nickname: "test", Addrs: []netip.Addr{serverAddr.Addr()}, Port: serverAddr.Port(), Private: true},
	}
	if change != nil {
		change(&cfg)
	}
	if b.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := host.Listen(t.Context(), "tcp", serverAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.server.Run(ctx) })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.server.Admit(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		wg.Wait()
		b.server.Close()
	})
	return b
}

// A user is a client at an address of its own.
type user struct {
	host  *memnet.Host
	links *link.Registry
}

func (b *bed) user(addr string) *user {
	u := &user{host: b.net.Host(addr, netip.MustParseAddr(addr))}
	u.links = link.NewRegistry(link.Config{
		Env:        env.Env{Net: u.host, Now: time.Now, Log: b.log},
		NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, b.log) },
	})
	b.t.Cleanup(u.links.Close)
	return u
}

// link returns the user's link to the relay.
func (u *user) link(ctx context.Context, b *bed) (*link.Link, error) {
	rsa, ed := b.server.Identities()
	return u.links.Get(ctx, link.Target{Addrs: []netip.AddrPort{serverAddr}, RSA: rsa, HasRSA: true, Ed: ed, HasEd: true})
}

// hop is the relay as the first hop of a circuit.
func (b *bed) hop() circuit.Hop {
	k := b.server.keys.current()
	return circuit.Hop{RSA: k.Fingerprint(), Ed: k.Ed(), HasEd: true, NTor: k.OnionKeys()[0].Public(), V3: true, Addrs: []netip.AddrPort{serverAddr}}
}

// wantHonest checks that somebody who does nothing wrong gets a circuit, and an answer from the directory.
func (b *bed) wantHonest(addr string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	l, err := b.user(addr).link(ctx, b)
	if err != nil {
		b.t.Fatalf("honest link: %v", err)
	}
	c, err := circuit.Create(ctx, l, b.hop(), circuit.Options{})
	if err != nil {
		b.t.Fatalf("honest circuit: %v", err)
	}
	defer c.Close()
	var s net.Conn
	if s, err = c.Tunnel().ConnectDir(); err != nil {
		b.t.Fatalf("honest stream: %v", err)
	}
	defer s.Close()
	if _, err := s.Write([]byte("GET /tor/nothing HTTP/1.0\r\n\r\n")); err != nil {
		b.t.Fatalf("honest request: %v", err)
	}
	var buf [12]byte
	s.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := s.Read(buf[:]); err != nil || string(buf[:]) != "HTTP/1.0 404" {
		b.t.Fatalf("honest answer: %q, %v", buf[:], err)
	}
}
