package dircache

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// What no client sends gets a 400 or nothing, and the connection ends.
func TestHostileRequests(t *testing.T) {
	b := newBed(t, Config{})
	many := strings.Repeat("X: y\r\n", dirhttp.MaxLines)
	var digests strings.Builder
	for i := range 1100 {
		digests.WriteString(hexOf([20]byte{byte(i >> 8), byte(i)}) + "+")
	}
	for _, tt := range []struct {
		name, request string
		status        int // 0 for no answer
	}{
		{"no version", "GET /\r\n\r\n", 400},
		{"HTTP/2", "GET / HTTP/2.0\r\n\r\n", 400},
		{"four words", "GET / x HTTP/1.0\r\n\r\n", 400},
		{"nothing but an end", "\r\n\r\n", 0},
		{"HEAD", "HEAD / HTTP/1.0\r\n\r\n", 0},
		{"CONNECT", "CONNECT example.com:443 HTTP/1.0\r\n\r\n", 0},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 0},
		{"NUL", "GET /tor/\x00 HTTP/1.0\r\n\r\n", 404},
		{"negative length", "GET / HTTP/1.0\r\nContent-Length: -1\r\n\r\n", 400},
		{"huge length", "GET / HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\n", 400},
		{"16 MB for a GET", "GET / HTTP/1.0\r\nContent-Length: 16777216\r\n\r\n", 0},
		{"16 MB upload", "POST /tor/ HTTP/1.0\r\nContent-Length: 16777216\r\n\r\n", 0},
		{"upload without length", "POST /tor/ HTTP/1.0\r\n\r\nabc", 400},
		{"many headers", "GET / HTTP/1.0\r\n" + many + "\r\n", 400},
		{"long head", "GET /" + strings.Repeat("x", dirhttp.MaxHead) + " HTTP/1.0\r\n\r\n", 0},
		{"endless head", "GET /" + strings.Repeat("x", 4*dirhttp.MaxHead), 0},
		{"many digests", get("/tor/server/d/" + digests.String()), 400},
		{"many separators", get("/tor/server/d/" + strings.Repeat("+", 49_000)), 404},
		{"many wrong digests", get("/tor/micro/d/" + strings.Repeat("x-", 24_000)), 404},
		{"many signers", get("/tor/status-vote/current/consensus/" + strings.Repeat("A+", 1000)), 400},
		{"path up the tree", get("/tor/../../etc/passwd"), 404},
		{"many suffixes", get("/tor/keys/all" + strings.Repeat(".z", 1000)), 400},
		{"many encodings", get("/tor/keys/all", "Accept-Encoding: "+strings.Repeat("gzip,", 5000)), 200},
		{"many bases", get("/tor/status-vote/current/consensus", "X-Or-Diff-From-Consensus: "+strings.Repeat(hexOf([32]byte{1})+" ", 600)), 200},
	} {
		got := b.ask(t, client, tt.request)
		status := 0
		if got.head != nil {
			status = got.head.Status
		}
		if status != tt.status {
			t.Errorf("%s: got %d, want %d", tt.name, status, tt.status)
		}
	}
	if n := b.server.conns.Load() + b.server.answers.Load() + b.server.memory.used.Load(); n != 0 {
		t.Errorf("counters do not come back to zero: %d", n)
	}
}

// slow serves one connection in a bubble and returns how long that took.
func slow(t *testing.T, peer func(conn net.Conn)) (took time.Duration, events []Event) {
	t.Helper()
	b := newBed(t, Config{MaxUpload: func(string, From) int { return 1000 }})
	synctest.Test(t, func(t *testing.T) {
		// The encoders and channels of the server must be of the bubble.
		b.server = NewServer(b.server.cfg, b.cache)
		here, there := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() { peer(here) })
		start := time.Now()
		b.server.Serve(t.Context(), there, client)
		took = time.Since(start)
		here.Close()
		wg.Wait()
	})
	return took, b.events
}

// A peer holds a connection for a bounded time, however it sends or reads.
func TestSlowPeers(t *testing.T) {
	drip := func(before string, every time.Duration) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := io.WriteString(c, before); err != nil {
				return
			}
			for {
				time.Sleep(every)
				if _, err := c.Write([]byte{'x'}); err != nil {
					return
				}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		peer   func(net.Conn)
		took   time.Duration
		events int
	}{
		{"silent", func(net.Conn) {}, headTime, 0},
		{"a byte every ten seconds", drip("GET /", 10*time.Second), headTime, 0},
		{"silent in the body", drip("POST /tor/ HTTP/1.0\r\nContent-Length: 900\r\n\r\n", time.Hour), uploadTime, 0},
		{"dripping in the body", drip("POST /tor/ HTTP/1.0\r\nContent-Length: 900\r\n\r\n", 10*time.Second), uploadTime, 0},
		{"dripping in the body of a GET", drip("GET / HTTP/1.0\r\nContent-Length: 900\r\n\r\n", 10*time.Second), uploadTime, 0},
		{"does not read", func(c net.Conn) { io.WriteString(c, get("/tor/status-vote/current/consensus")) }, stall, 1},
		{"reads a byte a second", func(c net.Conn) {
			io.WriteString(c, get("/tor/server/all"))
			for {
				if _, err := c.Read(make([]byte, 1)); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, stall, 1},
	} {
		took, events := slow(t, tt.peer)
		if took != tt.took {
			t.Errorf("%s: closed after %v, want %v", tt.name, took, tt.took)
		}
		if len(events) != tt.events {
			t.Errorf("%s: %d events", tt.name, len(events))
		}
		for _, e := range events {
			if e.Outcome != Failed || e.Took != tt.took || e.Size == 0 {
				t.Errorf("%s: event %+v", tt.name, e)
			}
		}
	}
}

func TestUpload(t *testing.T) {
	var body string
	b := newBed(t, Config{
		MaxUpload: func(path string, from From) int {
			if path == "/tor/post/vote" && from.Stream {
				return 100
			}
			return 0
		},
		Hook: func(_ context.Context, r *Request) *Reply {
			body = r.Method + " " + r.Path + " " + r.GenReason + " " + string(r.Body)
			if len(r.Body) == 3 {
				return &Reply{Status: 200, Reason: "OK", NotNew: true}
			}
			return &Reply{Status: 400, Reason: "Bad vote"}
		},
	})
	for _, tt := range []struct {
		request string
		status  int
		reason  string
		body    string
	}{
		{"POST /tor/post/vote HTTP/1.0\r\nContent-Length: 3\r\nX-Desc-Gen-Reason: why\r\n\r\nabcdef", 200, "OK", "POST /tor/post/vote why abc"},
		{"post /post/vote HTTP/1.0\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("a", 100), 400, "Bad vote", "POST /tor/post/vote  " + strings.Repeat("a", 100)},
		{"POST /tor/post/vote HTTP/1.0\r\nContent-Length: 101\r\n\r\n" + strings.Repeat("a", 101), 400, "Upload is too large", ""},
		{"POST /tor/ HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 400, "Nonauthoritative directory does not accept posted server descriptors", ""},
	} {
		body = ""
		got := b.ask(t, client, tt.request)
		if got.head.Status != tt.status || got.head.Reason != tt.reason || body != tt.body || got.head.NotNew != (tt.status == 200) {
			t.Errorf("%.60q: %d %q, hook got %q", tt.request, got.head.Status, got.head.Reason, body)
		}
	}
}

// What a hook says cannot break out of the status line, and a panic in it ends one connection.
func TestBadHook(t *testing.T) {
	b := newBed(t, Config{Hook: func(_ context.Context, r *Request) *Reply {
		if r.Path == "/tor/panic" {
			panic("hook")
		}
		return &Reply{Status: 404, Reason: "a\r\nX: y"}
	}})
	for _, path := range []string{"/tor/panic", "/tor/x"} {
		if got := b.ask(t, client, get(path)); got.head != nil {
			t.Errorf("%s: %q", path, got.raw)
		}
	}
	if got := b.ask(t, client, get("/tor/keys/all")); got.head.Status != 200 {
		t.Errorf("afterwards: %q", got.text)
	}
}

func TestBusy(t *testing.T) {
	var asked int64
	b := newBed(t, Config{FrontPage: []byte("page"), Busy: func(from From, size int64) bool { asked = size; return true }})
	path := "/tor/status-vote/current/consensus"
	for _, tt := range []struct {
		request string
		status  int
		size    int64
	}{
		{get(path), 503, int64(len(b.newest(consensus.NS).Doc))},
		{get("/tor/server/d/" + hexOf(b.routers[0].Digest)), 503, int64(len(b.routers[0].Text))},
		{get("/tor/server/d/" + hexOf(b.routers[0].Digest) + ".z"), 503, int64(len(b.routers[0].Text) / 2)},
		{get("/"), 200, 0},
		{get("/tor/x"), 404, 0},
		{get("/robots.txt"), 200, 0},
	} {
		asked = 0
		got := b.ask(t, client, tt.request)
		if got.head.Status != tt.status || asked != tt.size {
			t.Errorf("%.60q: %d, asked for %d bytes, want %d and %d", tt.request, got.head.Status, asked, tt.status, tt.size)
		}
		if tt.status == 503 && (got.head.Reason != "Directory busy, try again later" || b.events[len(b.events)-1].Outcome != Busy) {
			t.Errorf("%q, %+v", got.head.Reason, b.events[len(b.events)-1])
		}
	}
}

// Beyond the limits there are quick refusals: of connections, of answers, of memory and of encoders.
func TestLimits(t *testing.T) {
	b := newBed(t, Config{MaxConns: 1, MaxMemory: 20 << 10, Encoders: 1})
	s := b.server
	path := "/tor/server/d/" + hexOf(b.routers[0].Digest) + ".z"
	s.conns.Add(1)
	if got := b.ask(t, client, ""); got.head != nil {
		t.Errorf("too many connections: %q", got.raw)
	}
	s.conns.Add(-1)
	s.answers.Add(2048)
	if got := b.ask(t, client, get(path)); got.head.Status != 503 {
		t.Errorf("too many answers: %q", got.raw)
	}
	s.answers.Add(-2048)
	if got := b.ask(t, client, get("/"+strings.Repeat("x", 17<<10))); got.head != nil {
		t.Errorf("long head without memory: %q", got.raw)
	}
	s.memory.take(20 << 10)
	if got := b.ask(t, client, get(path)); got.head.Encoding != dirhttp.Identity || !bytes.Equal(got.body, b.routers[0].Text) {
		t.Errorf("compression without memory: %q", got.text)
	}
	s.memory.give(20 << 10)
	s.encoders.slots <- struct{}{}
	if got := b.ask(t, client, get(path)); got.head.Encoding != dirhttp.Identity || !bytes.Equal(got.body, b.routers[0].Text) {
		t.Errorf("compression without encoder: %q", got.text)
	}
	<-s.encoders.slots
	for range 3 {
		if got := b.ask(t, client, get(path)); got.head.Encoding != dirhttp.Deflate || !bytes.Equal(got.body, b.routers[0].Text) {
			t.Errorf("afterwards: %q", got.text)
		}
	}
	if n := len(s.encoders.idle[dirhttp.Deflate]); n != 1 {
		t.Errorf("%d idle encoders", n)
	}
}

// Connections of an in-memory network, as a DirPort has them: the end of the context ends all.
func TestServeConns(t *testing.T) {
	b := newBed(t, Config{FrontPage: []byte("page")})
	synctest.Test(t, func(t *testing.T) {
		b.server = NewServer(b.server.cfg, b.cache)
		network := memnet.New(memnet.Link{Latency: 10 * time.Millisecond})
		here, there := network.Host("client", client.Addr), network.Host("relay", netip.MustParseAddr("198.51.100.1"))
		l, err := there.Listen(t.Context(), "tcp", "198.51.100.1:9030")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				wg.Go(func() { b.server.Serve(ctx, conn, From{Addr: netx.RemoteAddr(conn).Addr()}) })
			}
		})
		for _, path := range []string{"/", "/tor/status-vote/current/consensus-microdesc.z", "/tor/server/all.z"} {
			conn, err := here.Dial(t.Context(), "tcp", "198.51.100.1:9030")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, get(path))
			raw, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			if got := parse(t, raw); got.head.Status != 200 || got.head.YourAddress != client.Addr {
				t.Errorf("%s: %q", path, got.text)
			}
			conn.Close()
		}
		idle, err := here.Dial(t.Context(), "tcp", "198.51.100.1:9030")
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		synctest.Wait()
		cancel()
		l.Close()
		wg.Wait()
		if n := b.server.conns.Load(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}
