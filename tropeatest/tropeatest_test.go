package tropeatest_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea"
	"github.com/tropea-net/tropea/tropeatest"
)

const page = "hello"

// serve runs a web server behind the network until the test ends, and returns its URL.
func serve(t *testing.T, n *tropeatest.Net, name string) string {
	t.Helper()
	l, err := n.Listen(name)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l)
}

func serveOn(t *testing.T, l net.Listener) string {
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return "http://" + l.Addr().String() + "/"
}

// get gets the page. On a machine that is busy with other things a stream may fail as it does in the true network, where one
// tries again.
func get(ctx context.Context, c *http.Client, url string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for range 3 {
		if err = getOnce(ctx, c, url); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func getOnce(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != page {
		return fmt.Errorf("got %q: %w", b, err)
	}
	return nil
}

// through returns an HTTP client that dials so.
func through(t *testing.T, transport *http.Transport) *http.Client {
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	n := tropeatest.New(t, tropeatest.Options{})
	t.Logf("ready after %v", time.Since(begin).Round(time.Millisecond))
	url1 := serve(t, n, "www.test")
	if err := get(t.Context(), n.Client(0).HTTP(), url1); err != nil {
		t.Error(err)
	}
	proxy := &url.URL{Scheme: "socks5", Host: n.Client(0).SOCKS()}
	if err := get(t.Context(), through(t, &http.Transport{Proxy: http.ProxyURL(proxy)}), url1); err != nil {
		t.Errorf("SOCKS port: %v", err)
	}
	client, err := tropea.New(n.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := get(ctx, through(t, &http.Transport{DialContext: client.DialContext}), url1); err != nil {
		t.Errorf("client of package tropea: %v", err)
	}
	onion, err := client.Listen(ctx, tropea.OnionConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := get(ctx, n.Client(0).HTTP(), serveOn(t, onion)); err != nil {
		t.Errorf("onion service: %v", err)
	}
	for _, addr := range []string{"unknown.test:80", "192.0.2.1:80"} {
		if c, err := n.DialContext(ctx, "tcp", addr); err == nil {
			c.Close()
			t.Errorf("%s can be reached", addr)
		}
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	n := tropeatest.New(t, tropeatest.Options{Memory: true, Authorities: 1, Relays: 2, Exits: 1, Clients: 2})
	for i := range 2 {
		if err := get(t.Context(), n.Client(i).HTTP(), serve(t, n, fmt.Sprintf("www%d.test", i))); err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a configuration for clients that cannot get there")
		}
	}()
	n.ClientConfig()
}

func TestVirtual(t *testing.T) {
	for name, tt := range map[string]struct{ interval, pause time.Duration }{
		"seconds": {0, 5 * time.Second},
		"hours":   {time.Hour, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			opts := tropeatest.Options{Latency: 20 * time.Millisecond, Interval: tt.interval, Clients: 2}
			tropeatest.Virtual(t, opts, func(t *testing.T, n *tropeatest.Net) {
				web := serve(t, n, "www.test")
				onion, err := n.Client(1).Listen(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				hidden := serveOn(t, onion)
				for range 3 {
					for _, url := range []string{web, hidden} {
						if err := get(t.Context(), n.Client(0).HTTP(), url); err != nil {
							t.Errorf("%s: %v", url, err)
						}
					}
					time.Sleep(tt.pause)
				}
				c, err := n.Client(0).DialAlone(t.Context(), strings.TrimSuffix(strings.TrimPrefix(web, "http://"), "/"))
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
			})
			t.Logf("%v took %v", 3*tt.pause, time.Since(begin).Round(time.Millisecond))
		})
	}
}

// A network leaves nothing behind.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := tropeatest.Start(ctx, tropeatest.Options{Exits: tropeatest.None}); err == nil {
		t.Fatal("a network was ready within a second")
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestBadOptions(t *testing.T) {
	if _, err := tropeatest.Start(t.Context(), tropeatest.Options{Authorities: 1000}); err == nil {
		t.Error("1000 authorities")
	}
}

var _ func(context.Context, string, string) (net.Conn, error) = (*tropeatest.Net)(nil).DialContext
