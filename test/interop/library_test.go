package interop_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tropea-net/tropea"
)

// testLibrary uses the network without a program in between.
func testLibrary(t *testing.T, b *bed) {
	var log logBuffer
	cfg := tropea.Config{
		Authorities: b.net.Authorities(), AllowInternal: true, TestNetwork: true, MinPaths: 0.67, Dir: t.TempDir(),
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the library:\n%s", log.String())
		}
	})
	c, err := tropea.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	host := b.name("library")
	_, err = c.DialContext(t.Context(), "tcp", b.web.target(host))
	wantKind(t, "DialContext before Start", err, tropea.Closed)
	begin := time.Now()
	if err := c.Start(deadline(t, joinTimeout)); err != nil {
		t.Fatal(err)
	}
	t.Logf("Start took %v", time.Since(begin).Round(time.Millisecond))
	if s := c.Status(); s.Percent != 100 {
		t.Errorf("status after Start: %v", s)
	}
	if _, err := tropea.New(cfg); err == nil {
		t.Error("two clients share a directory")
	}

	t.Run("dial", func(t *testing.T) {
		conn, err := c.DialContext(deadline(t, taskTimeout), "tcp", b.web.target(host))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := page(conn, "library", 100_000); err != nil {
			t.Error(err)
		}
	})
	t.Run("resolve", func(t *testing.T) {
		name := b.name("library-two", "192.0.2.8")
		addrs, err := c.Resolve(deadline(t, taskTimeout), name)
		if err != nil || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("192.0.2.8")}) {
			t.Errorf("Resolve: %v, %v", addrs, err)
		}
		names, err := c.ResolveAddr(deadline(t, taskTimeout), netip.MustParseAddr("192.0.2.8"))
		if diff := cmp.Diff([]string{name}, names); err != nil || diff != "" {
			t.Errorf("ResolveAddr: %v (-want +got):\n%s", err, diff)
		}
	})
	t.Run("errors", func(t *testing.T) {
		for addr, want := range map[string]tropea.Kind{
			"no-such-name.test:80": tropea.NotFound,
			"127.0.0.9:80":         tropea.ExitPolicyRejected,
			host + ":25":           tropea.ExitPolicyRejected,
			onion + ":80":          tropea.NotFound,
			"bad name:80":          tropea.BadAddress,
			"no-port.test":         tropea.BadAddress,
		} {
			_, err := c.DialContext(deadline(t, promptly), "tcp", addr)
			wantKind(t, "DialContext to "+addr, err, want)
		}
		_, err := c.Resolve(deadline(t, promptly), "no-such-name.test")
		wantKind(t, "Resolve", err, tropea.NotFound)
	})
	t.Run("isolation", func(t *testing.T) { testLibraryIsolation(t, b, c, &log) })

	conn, err := c.DialContext(deadline(t, taskTimeout), "tcp", b.web.target(host))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlives its client")
	}
	if _, err := conn.Write(make([]byte, 1)); err == nil {
		t.Error("a stream of a closed client takes data")
	}
	_, err = c.DialContext(t.Context(), "tcp", b.web.target(host))
	wantKind(t, "DialContext after Close", err, tropea.Closed)
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("DialContext after Close: %v is not net.ErrClosed", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	wantNoGoroutines(t)

	t.Run("again", func(t *testing.T) {
		c, err := tropea.New(cfg) // the directory is free
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		if err := c.Start(deadline(t, joinTimeout)); err != nil {
			t.Fatal(err)
		}
		t.Logf("Start from the cache took %v", time.Since(begin).Round(time.Millisecond))
	})
	wantNoGoroutines(t)

	t.Run("closed while it starts", func(t *testing.T) {
		c, err := tropea.New(tropea.Config{Authorities: cfg.Authorities})
		if err != nil {
			t.Fatal(err)
		}
		started := make(chan error)
		go func() { started <- c.Start(context.Background()) }()
		for range c.Progress(deadline(t, taskTimeout)) {
			break
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-started; err != nil { // it may have been done
			wantKind(t, "Start", err, tropea.Closed)
		}
	})
	wantNoGoroutines(t)
}

// testLibraryIsolation looks in the log for the circuits of streams.
func testLibraryIsolation(t *testing.T, b *bed, c *tropea.Client, log *logBuffer) {
	alice := tropea.Dialer{Client: c, Isolation: tropea.NewIsolation()}
	bob := tropea.Dialer{Client: c, Isolation: tropea.NewIsolation()}
	var circuits []string
	host := b.name("library-isolation")
	for _, d := range []tropea.Dialer{{Client: c}, alice, bob, alice, bob} {
		conn, err := d.DialContext(deadline(t, taskTimeout), "tcp", b.web.target(host))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		opened := streamOpened.FindAllStringSubmatch(log.String(), -1)
		circuits = append(circuits, opened[len(opened)-1][1])
	}
	if circuits[1] != circuits[3] || circuits[2] != circuits[4] {
		t.Errorf("circuits %q: the same isolation got different ones", circuits)
	}
	if circuits[0] == circuits[1] || circuits[0] == circuits[2] || circuits[1] == circuits[2] {
		t.Errorf("circuits %q: different isolations share one", circuits)
	}
	c.NewIdentity()
	conn, err := alice.DialContext(deadline(t, taskTimeout), "tcp", b.web.target(host))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	opened := streamOpened.FindAllStringSubmatch(log.String(), -1)
	if circ := opened[len(opened)-1][1]; slices.Contains(circuits, circ) {
		t.Errorf("circuit %s is in use after NewIdentity", circ)
	}
}

var streamOpened = regexp.MustCompile(`msg="stream opened" circ=(\d+)`)

func wantKind(t *testing.T, what string, err error, kind tropea.Kind) {
	t.Helper()
	e, ok := errors.AsType[*tropea.Error](err)
	if !ok || e.Kind != kind {
		t.Errorf("%s: %v, want an error of kind %q", what, err, kind)
	}
}

// wantNoGoroutines fails the test unless all goroutines that the library has started end soon.
func wantNoGoroutines(t *testing.T) {
	t.Helper()
	left := libraryGoroutines()
	for end := time.Now().Add(10 * time.Second); len(left) > 0 && time.Now().Before(end); left = libraryGoroutines() {
		time.Sleep(10 * time.Millisecond)
	}
	if len(left) > 0 {
		t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
	}
}

// libraryGoroutines are the stacks in which there is code of the library, even if only as that which said go.
func libraryGoroutines() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	return slices.DeleteFunc(strings.Split(string(buf), "\n\n"), func(stack string) bool {
		for line := range strings.Lines(stack) {
			line = strings.TrimPrefix(line, "created by ")
			rest, ours := strings.CutPrefix(line, "github.com/tropea-net/tropea")
			if ours && !strings.HasPrefix(rest, "/internal/kit/") && !strings.HasPrefix(rest, "/test/") {
				return false
			}
		}
		return true
	})
}

// A logBuffer holds a log that is still being written.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var _ io.Writer = (*logBuffer)(nil)
