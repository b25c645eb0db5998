package dirclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

var (
	id        = fakepeer.Identities(1)[0]
	relayAddr = netip.MustParseAddrPort("192.0.2.2:9001")
)

type noDirectory struct{}

func (noDirectory) View() *netdir.View       { return nil }
func (noDirectory) Changed() <-chan struct{} { return nil }

// world is a client and a directory server.
type world struct {
	*testing.T
	client dirclient.Client
	server circmgr.DirServer
	relay  *fakepeer.Relay
	host   *memnet.Host // of the server
	own    *memnet.Host // of the client
}

func run(t *testing.T, cfg fakepeer.Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Link{Latency: 10 * time.Millisecond})
		client, host := net.Host("client", netip.MustParseAddr("192.0.2.1")), net.Host("relay", relayAddr.Addr())
		cfg.Identity = id
		w := &world{T: t, relay: fakepeer.New(t, cfg), host: host, own: client}
		l, err := host.Listen(t.Context(), "tcp", relayAddr.String())
		if err != nil {
			t.Fatal(err)
		}
		w.relay.Serve(l)
		e := env.Env{Net: client, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		links := link.NewRegistry(link.Config{Env: e, NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, e.Log) }})
		defer links.Close()
		m := circmgr.New(circmgr.Config{Env: e, Links: links, Dir: noDirectory{}, Rand: rand.New(rand.NewPCG(1, 2))})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { m.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		w.client = dirclient.Client{Tunnels: m, Now: func() time.Time { return time.Now().Add(time.Hour) }}
		w.server.Target = link.Target{Addrs: []netip.AddrPort{relayAddr}, RSA: id.RSA(), HasRSA: true}
		f(w)
	})
}

func serve(text string) fakepeer.Config {
	return fakepeer.Config{Dir: func(string) []byte { return []byte(text) }}
}

// What a server gets tells no more than what is asked for, and its answer comes back whole.
func TestGet(t *testing.T) {
	var request string
	body := strings.Repeat("consensus\n", 50_000) // more than the first windows
	cfg := fakepeer.Config{Dir: func(r string) []byte {
		request = r
		return fmt.Appendf(nil, "HTTP/1.0 200 OK\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s",
			time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), len(body), body)
	}}
	run(t, cfg, func(w *world) {
		var stages []dirclient.Stage
		resp, err := w.client.Get(w.Context(), w.server, dirclient.Request{
			Path: "/tor/status-vote/current/consensus-microdesc/012345.z", DiffFrom: [][32]byte{{1}}, Modified: time.Unix(0, 0), MaxBody: 1 << 20,
			Progress: func(s dirclient.Stage) { stages = append(stages, s) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if string(resp.Body) != body || resp.Skew.Round(time.Minute) != time.Hour {
			t.Errorf("%d bytes, skew %v", len(resp.Body), resp.Skew)
		}
		if fmt.Sprint(stages) != fmt.Sprint([]dirclient.Stage{dirclient.Connecting, dirclient.Requesting, dirclient.Loading}) {
			t.Errorf("stages %v", stages)
		}
		want := "GET /tor/status-vote/current/consensus-microdesc/012345.z HTTP/1.0\r\n" +
			"Host: 192.0.2.2:9001\r\n" +
			"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n" +
			"Accept-Encoding: x-zstd, deflate, gzip, identity\r\n" +
			"X-Or-Diff-From-Consensus: 01" + strings.Repeat("00", 31) + "\r\n\r\n"
		if request != want {
			t.Errorf("asked\n%s\nwant\n%s", request, want)
		}
	})
}

func TestGetBad(t *testing.T) {
	hang := fakepeer.Config{Dir: func(string) []byte {
		time.Sleep(2 * time.Hour)
		return nil
	}}
	cut := serve("HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nabc")
	tests := []struct {
		name string
		cfg  fakepeer.Config
		ok   func(error) bool
		took time.Duration
	}{
		{"not a directory", fakepeer.Config{}, func(err error) bool {
			var e *stream.EndError
			return errors.As(err, &e) && e.Reason == relaymsg.EndNotDirectory
		}, time.Second},
		{"not found", serve("HTTP/1.0 404 Not found\r\n\r\n"), func(err error) bool {
			var e *dirclient.StatusError
			return errors.As(err, &e) && e.Status == 404
		}, time.Second},
		{"cut", cut, func(err error) bool { return strings.Contains(err.Error(), "unexpected EOF") }, time.Second},
		{"silent", hang, func(err error) bool { var ne interface{ Timeout() bool }; return errors.As(err, &ne) && ne.Timeout() }, 62 * time.Second},
	}
	for _, tt := range tests {
		run(t, tt.cfg, func(w *world) {
			began := time.Now()
			_, err := w.client.Get(w.Context(), w.server, dirclient.Request{Path: "/tor/keys/all.z", MaxBody: 1000})
			if err == nil || !tt.ok(err) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if d := time.Since(began); d > tt.took {
				t.Errorf("%s: after %v", tt.name, d)
			}
		})
	}
	run(t, hang, func(w *world) {
		ctx, cancel := context.WithTimeoutCause(w.Context(), time.Second, errors.New("enough"))
		defer cancel()
		if _, err := w.client.Get(ctx, w.server, dirclient.Request{Path: "/", MaxBody: 1000}); err == nil || err.Error() != "enough" {
			t.Errorf("when the caller gives up: %v", err)
		}
	})
	run(t, serve(""), func(w *world) {
		if _, err := w.client.Get(w.Context(), w.server, dirclient.Request{Path: "/a b\r\nX: y", MaxBody: 1000}); err == nil {
			t.Error("a path with line breaks was sent")
		}
	})
}

// A relay asks an authority at its DirPort, and no circuit is made.
func TestGetDirPort(t *testing.T) {
	run(t, fakepeer.Config{}, func(w *world) {
		dirPort := netip.AddrPortFrom(relayAddr.Addr(), 9030)
		req := dirclient.Request{Path: "/tor/keys/all.z", MaxBody: 1000, DirPort: dirPort}
		if _, err := w.client.Get(w.Context(), w.server, req); err == nil {
			t.Error("a client that may not ask DirPorts did")
		}
		w.client.Net = w.own
		var dial *link.DialError
		if _, err := w.client.Get(w.Context(), w.server, req); !errors.As(err, &dial) || dial.Addr != dirPort {
			t.Errorf("while the port is closed: %v", err)
		}
		l, err := w.host.Listen(t.Context(), "tcp", dirPort.String())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer l.Close()
		requests := make(chan string, 10)
		var stalls atomic.Bool
		wg.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				buf := make([]byte, 1000)
				n, _ := conn.Read(buf)
				requests <- string(buf[:n])
				wg.Go(func() {
					defer conn.Close()
					if stalls.Load() {
						io.Copy(io.Discard, conn)
						return
					}
					io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nkeys\n")
				})
			}
		})
		resp, err := w.client.Get(w.Context(), w.server, req)
		if err != nil || string(resp.Body) != "keys\n" {
			t.Errorf("%+v, %v", resp, err)
		}
		if got := <-requests; !strings.HasPrefix(got, "GET /tor/keys/all.z HTTP/1.0\r\nHost: 192.0.2.2:9030\r\n") {
			t.Errorf("asked %q", got)
		}
		stalls.Store(true)
		began := time.Now()
		var timeout interface{ Timeout() bool }
		if _, err := w.client.Get(w.Context(), w.server, req); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("a server that stalls: %v", err)
		}
		if d := time.Since(began); d > 61*time.Second {
			t.Errorf("after %v", d)
		}
		ctx, cancel := context.WithTimeoutCause(w.Context(), time.Second, errors.New("enough"))
		defer cancel()
		if _, err := w.client.Get(ctx, w.server, req); err == nil || err.Error() != "enough" {
			t.Errorf("when the caller gives up: %v", err)
		}
	})
}
