package tropea

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// closedNet is a network whose only authority is a closed port of this machine: no test may reach the public one.
const closedNet = "nobody orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 0000000000000000000000000000000000000001"

// newClosed returns a client of a network that cannot be reached.
func newClosed(t *testing.T, cfg Config) *Client {
	t.Helper()
	cfg.Authorities = []string{closedNet}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// begun starts c, and does not wait for it to come up.
func begun(t *testing.T, c *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := c.Start(ctx); kind(err) != NotReady {
		t.Fatal(err)
	}
}

func kind(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 255
}

func TestBadConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	damaged := filepath.Join(dir, "damaged")
	err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(damaged, 0o700),
		os.WriteFile(filepath.Join(damaged, "state"), []byte("Guard in=default\n\"unclosed\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		cfg  Config
		says string
	}{
		{"authority", Config{Authorities: []string{"nonsense"}}, "want: [nickname]"},
		{"authorities that do not vote", Config{Authorities: []string{"x orport=1 127.0.0.1:1 0000000000000000000000000000000000000001"}}, "v3ident"},
		{"fallback", Config{Authorities: []string{closedNet}, Fallbacks: []string{"nonsense"}}, ""},
		{"directory that is a file", Config{Authorities: []string{closedNet}, Dir: file}, "is not a directory"},
		{"directory without a parent", Config{Authorities: []string{closedNet}, Dir: filepath.Join(dir, "a", "b")}, "cannot be made"},
		{"damaged state", Config{Authorities: []string{closedNet}, Dir: damaged}, "mend the line"},
		{"too few paths", Config{Authorities: []string{closedNet}, MinPaths: 0.1}, "MinPaths"},
		{"too many paths", Config{Authorities: []string{closedNet}, MinPaths: 60}, "MinPaths"},
	} {
		c, err := New(tt.cfg)
		if kind(err) != BadConfig || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "tropea new: bad configuration: ") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if c != nil {
			c.Close()
			t.Errorf("%s: a client too", tt.name)
		}
	}
	// What failed holds no lock.
	if err := os.Remove(filepath.Join(damaged, "state")); err != nil {
		t.Fatal(err)
	}
	newClosed(t, Config{Dir: damaged})
}

// Whoever waits in vain learns at what the start is stuck, and can wait again.
func TestStartTimesOut(t *testing.T) {
	c := newClosed(t, Config{})
	if s := c.Status(); s != starting {
		t.Errorf("status %v", s)
	}
	var err error
	for range 50 { // until a first connection has failed
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err = c.Start(ctx)
		cancel()
		if kind(err) != NotReady || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Fatalf("%v is no timeout", err)
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
	}
	if want := "stuck at 5% (conn): Connecting to a relay: "; !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "firewall") {
		t.Errorf("%v, want %q, the cause and advice", err, want)
	}
	if strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("the error names a relay: %v", err)
	}
	if s := c.Status(); s.Percent != 5 || s.Tag != "conn" {
		t.Errorf("status %v", s)
	}
}

func TestProgress(t *testing.T) {
	c := newClosed(t, Config{})
	begun(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var first any
	var problem *Problem
	for x := range c.Progress(ctx) {
		if first == nil {
			first = x
		}
		if p, ok := x.(*Problem); ok {
			problem = p
			break
		}
	}
	if _, ok := first.(Status); !ok {
		t.Errorf("the first is %v", first)
	}
	if problem == nil || problem.Reason != "CONNECTREFUSED" || problem.Advice == "" || !errors.Is(problem.Err, syscall.ECONNREFUSED) {
		t.Errorf("problem %+v", problem)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range c.Progress(context.Background()) {
		}
	}()
	c.Close()
	<-done
	for range c.Progress(context.Background()) { // of a closed client: what is, and no more
	}
	never := newClosed(t, Config{})
	go func() { time.Sleep(10 * time.Millisecond); never.Close() }()
	for range never.Progress(context.Background()) {
	}
}

func TestClose(t *testing.T) {
	c := newClosed(t, Config{})
	begun(t, c)
	waiting := make(chan error, 2)
	go func() { waiting <- c.Start(context.Background()) }()
	go func() {
		_, err := c.DialContext(context.Background(), "tcp", "example.com:80")
		waiting <- err
	}()
	time.Sleep(10 * time.Millisecond)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 2 {
		if err := <-waiting; kind(err) != Closed || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	if err := c.Start(t.Context()); kind(err) != Closed || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Start after Close: %v", err)
	}
	if _, err := c.DialContext(t.Context(), "tcp", "example.com:80"); kind(err) != Closed {
		t.Errorf("DialContext after Close: %v", err)
	}
	if _, err := c.Resolve(t.Context(), "example.com"); kind(err) != Closed {
		t.Errorf("Resolve after Close: %v", err)
	}
	c.NewIdentity()
}

// A client that was never started can be closed, and its directory is free then.
func TestCloseWithoutStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tor")
	for range 3 {
		c := newClosed(t, Config{Dir: dir})
		if _, err := New(Config{Authorities: []string{closedNet}, Dir: dir}); kind(err) != BadConfig {
			t.Errorf("a second client in one directory: %v", err)
		}
		c.Close()
		c.Close()
		if err := c.Start(t.Context()); kind(err) != Closed {
			t.Errorf("Start: %v", err)
		}
	}
}

// A process may run several clients. Each ends without a trace.
func TestSeveral(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			c, err := New(Config{Authorities: []string{closedNet}, Dir: filepath.Join(dir, fmt.Sprint(i))})
			if err != nil {
				t.Error(err)
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := c.Start(ctx); kind(err) != NotReady {
				t.Error(err)
			}
			c.Close()
		})
	}
	wg.Wait()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, were %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// Requests that cannot be are refused before they wait for anything.
func TestBadAddresses(t *testing.T) {
	c := newClosed(t, Config{})
	begun(t, c)
	for _, tt := range []struct {
		network, addr string
		want          Kind
	}{
		{"udp", "example.com:53", BadAddress},
		{"unix", "/tmp/x", BadAddress},
		{"tcp", "example.com", BadAddress},
		{"tcp", "example.com:http", BadAddress},
		{"tcp", "example.com:0", BadAddress},
		{"tcp", "example.com:65536", BadAddress},
		{"tcp", "example.com:-1", BadAddress},
		{"tcp", ":80", BadAddress},
		{"tcp", "exa mple.com:80", BadAddress},
		{"tcp", "127.0.0.1:80", BadAddress},
		{"tcp", "[::1]:80", BadAddress},
		{"tcp", "localhost:80", BadAddress},
		{"tcp4", "[2001:db8::1]:80", BadAddress},
		{"tcp6", "192.0.2.1:80", BadAddress},
		{"tcp", strings.Repeat("a", 56) + ".onion:80", BadAddress},
		{"tcp", "example.com.relay.exit:80", NotSupported},
	} {
		conn, err := c.DialContext(t.Context(), tt.network, tt.addr)
		if kind(err) != tt.want || conn != nil {
			t.Errorf("%s %s: %v, %v", tt.network, tt.addr, conn, err)
		}
	}
	if _, err := (Dialer{Client: c, NoIPv4: true, NoIPv6: true}).DialContext(t.Context(), "tcp", "example.com:80"); kind(err) != BadAddress {
		t.Errorf("no family: %v", err)
	}
	if _, err := c.Resolve(t.Context(), "a.onion"); kind(err) != NotSupported {
		t.Errorf("%v", err)
	}
	if _, err := c.ResolveAddr(t.Context(), netip.Addr{}); kind(err) != BadAddress {
		t.Errorf("%v", err)
	}
	if got, err := c.Resolve(t.Context(), "192.0.2.1"); err != nil || len(got) != 1 {
		t.Errorf("an address: %v, %v", got, err)
	}
}

// Requests to a network that is not there end with their context.
func TestDialWithoutNetwork(t *testing.T) {
	c := newClosed(t, Config{})
	begun(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.DialContext(ctx, "tcp", "example.com:80"); kind(err) != NotReady || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.DialContext(gone, "tcp", "example.com:80"); kind(err) != Other || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestKinds(t *testing.T) {
	end := func(r relaymsg.EndReason) error {
		return &attach.StreamError{Tries: 1, Err: &stream.EndError{Reason: r}}
	}
	for _, tt := range []struct {
		err  error
		want Kind
	}{
		{attach.ErrOnion, NotSupported},
		{&hsclient.Error{Reason: hsclient.NotFound}, NotFound},
		{&hsclient.Error{Reason: hsclient.IntroFailed}, Unreachable},
		{&hsclient.Error{Reason: hsclient.RendFailed}, Timeout},
		{&hsclient.Error{Reason: hsclient.BadAuth}, Unauthorized},
		{fmt.Errorf("%w: x", attach.ErrBadOnion), BadAddress},
		{attach.ErrExitName, NotSupported},
		{fmt.Errorf("%w: x", attach.ErrBadHost), BadAddress},
		{attach.ErrInternal, BadAddress},
		{attach.ErrNoFamily, BadAddress},
		{fmt.Errorf("%w: %w", attach.ErrNoExit, &circmgr.BuildError{Err: &pathsel.Error{}}), ExitPolicyRejected},
		{&attach.StreamError{Tries: 1, Err: attach.ErrPrivateName}, Unreachable},
		{&circmgr.BuildError{Err: circmgr.ErrNoDirectory, Cause: context.DeadlineExceeded}, NotReady},
		{&circmgr.BuildError{Err: circmgr.ErrBuildTimeout, Cause: context.DeadlineExceeded}, NoCircuit},
		{&circmgr.BuildError{Err: circmgr.ErrSlow, Cause: context.Canceled}, Other},
		{circmgr.ErrClosed, Closed},
		{errClosed, Closed},
		{end(relaymsg.EndResolveFailed), NotFound},
		{end(relaymsg.EndConnectRefused), Refused},
		{end(relaymsg.EndExitPolicy), ExitPolicyRejected},
		{end(relaymsg.EndNoRoute), Unreachable},
		{end(relaymsg.EndTimeout), Timeout},
		{end(relaymsg.EndConnReset), Interrupted},
		{end(99), Interrupted},
		{context.DeadlineExceeded, Timeout},
		{os.ErrDeadlineExceeded, Timeout},
		{context.Canceled, Other},
		{&circuit.PeerClosedError{}, Interrupted},
		{io.ErrUnexpectedEOF, Interrupted},
	} {
		if got := kindOf(tt.err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
	for k := Other; k <= Interrupted; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	err := error(&Error{Kind: Timeout, Op: "dial", Err: io.EOF})
	if err.Error() != "tropea dial: timeout: EOF" || !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestIsolation(t *testing.T) {
	a, b := NewIsolation(), NewIsolation()
	if a == b || a == (Isolation{}) {
		t.Error("isolation values are not as they should be")
	}
}

// A client says nothing unless it is given a logger, and then tells its progress.
func TestLogger(t *testing.T) {
	var mu sync.Mutex
	var text strings.Builder
	c := newClosed(t, Config{Logger: slog.New(slog.NewTextHandler(writer(func(p []byte) {
		mu.Lock()
		defer mu.Unlock()
		text.Write(p)
	}), nil))})
	begun(t, c)
	c.Close()
	if !strings.Contains(text.String(), "Bootstrapped 0% (starting): Starting") {
		t.Errorf("log: %s", text.String())
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }
