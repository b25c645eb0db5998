package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/netstate/guard"
	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

// ctor has the lines of C tor, which other programs parse.
var ctor = map[Phase]string{
	0: "0% (starting): Starting", 5: "5% (conn): Connecting to a relay", 10: "10% (conn_done): Connected to a relay",
	14: "14% (handshake): Handshaking with a relay", 15: "15% (handshake_done): Handshake with a relay done",
	20: "20% (onehop_create): Establishing an encrypted directory connection",
	25: "25% (requesting_status): Asking for networkstatus consensus", 30: "30% (loading_status): Loading networkstatus consensus",
	40: "40% (loading_keys): Loading authority key certs", 45: "45% (requesting_descriptors): Asking for relay descriptors",
	50: "50% (loading_descriptors): Loading relay descriptors", 62: "62% (loading_descriptors): Loading relay descriptors",
	74: "74% (loading_descriptors): Loading relay descriptors", 75: "75% (enough_dirinfo): Loaded enough directory info to build circuits",
	80: "80% (ap_conn): Connecting to a relay to build circuits", 85: "85% (ap_conn_done): Connected to a relay to build circuits",
	89: "89% (ap_handshake): Finishing handshake with a relay to build circuits",
	90: "90% (ap_handshake_done): Handshake finished with a relay to build circuits",
	95: "95% (circuit_create): Establishing a Tor circuit", 100: "100% (done): Done",
}

func text(s Status) string { return fmt.Sprintf("%d%% (%s): %s", s.Percent, s.Tag, s.Summary) }

func TestStatusTexts(t *testing.T) {
	for p, want := range ctor {
		if got := text(p.status()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func linkTo(s link.State) link.Event              { return link.Event{State: s} }
func dir(s dirsync.Stage) dirsync.Event           { return dirsync.Event{Stage: s} }
func loaded(f float64) dirsync.Event              { return dirsync.Event{Stage: dirsync.LoadingDescs, Fraction: f} }
func circ(s circmgr.EventState) circmgr.Event     { return circmgr.Event{State: s} }
func failedLink(err error) link.Event             { return link.Event{State: link.StateFailed, Err: err} }
func failedDir(s dirsync.Stage, err error) any    { return dirsync.Event{Stage: s, Err: err} }
func refused() error                              { return &link.DialError{Op: "connect", Err: syscall.ECONNREFUSED} }
func dialed(op string, err error) *link.DialError { return &link.DialError{Op: op, Err: err} }

var (
	connect = []any{linkTo(link.StateConnecting), linkTo(link.StateConnected), linkTo(link.StateHandshake), linkTo(link.StateOpen)}
	fetch   = []any{dir(dirsync.DirCircuit), dir(dirsync.RequestingStatus), dir(dirsync.LoadingStatus), dir(dirsync.LoadingKeys), dir(dirsync.RequestingDescs)}
)

func TestTracker(t *testing.T) {
	tests := []struct {
		name   string
		events [][]any
		want   []Phase
	}{
		{"from nothing", [][]any{connect, fetch, {loaded(0), loaded(.5), loaded(1), dir(dirsync.Enough)}, connect, {circ(circmgr.Launched), circ(circmgr.Built)}},
			[]Phase{5, 10, 14, 15, 20, 25, 30, 40, 45, 50, 62, 74, 75, 80, 85, 89, 90, 95, 100}},
		{"from the cache", [][]any{{dir(dirsync.Enough)}, connect, {circ(circmgr.Built)}}, []Phase{75, 80, 85, 89, 90, 95, 100}},
		{"the guard is linked already", [][]any{connect, fetch, {dir(dirsync.Enough)}, {circ(circmgr.Launched), circ(circmgr.Built)}},
			[]Phase{5, 10, 14, 15, 20, 25, 30, 40, 45, 75, 90, 95, 100}},
		{"three servers at a time", [][]any{connect[:2], connect, connect[:1], fetch, connect, fetch}, []Phase{5, 10, 14, 15, 20, 25, 30, 40, 45}},
		{"small steps of descriptors", [][]any{{loaded(0), loaded(.1), loaded(.15), loaded(.2), loaded(.25), loaded(.9), loaded(.95), loaded(1)}}, []Phase{50, 55, 72}},
		{"more than all", [][]any{{loaded(1)}}, []Phase{74}},
		{"after the end", [][]any{{dir(dirsync.Enough), circ(circmgr.Built)}, connect, fetch, {loaded(.1), dir(dirsync.Enough), circ(circmgr.Built)}}, []Phase{75, 90, 95, 100}},
		{"what it does not know", [][]any{{"event", 7, nil, Status{}, Problem{}}}, nil},
		{"circuits that end", [][]any{{circ(circmgr.Closed), linkTo(link.StateClosed)}}, nil},
	}
	for _, tt := range tests {
		var tr Tracker
		var got []Phase
		for _, e := range slices.Concat(tt.events...) {
			for _, x := range tr.Handle(e) {
				s, ok := x.(Status)
				if !ok {
					t.Fatalf("%s: %v", tt.name, x)
				}
				got = append(got, Phase(s.Percent))
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestProblems(t *testing.T) {
	var tr Tracker
	counts := func(e any) (list []int) {
		for _, x := range tr.Handle(e) {
			if p, ok := x.(Problem); ok {
				list = append(list, p.Count)
			}
		}
		return list
	}
	for _, tt := range []struct {
		name string
		e    any
		want int // the count; 0 for no problem
	}{
		{"link", failedLink(refused()), 1},
		{"directory", failedDir(dirsync.RequestingStatus, dirsync.ErrExpired), 2},
		{"circuit", circmgr.Event{State: circmgr.Failed, Err: circmgr.ErrBuildTimeout}, 3},
		{"circuit whose link has told", circmgr.Event{State: circmgr.Failed, Err: refused()}, 0},
		{"we closed it", failedLink(link.ErrClosed), 0},
		{"we ended", failedDir(dirsync.RequestingStatus, context.Canceled), 0},
		{"the manager ended", circmgr.Event{State: circmgr.Failed, Err: circmgr.ErrClosed}, 0},
		{"a link that was open ends", link.Event{State: link.StateClosed, Err: io.EOF}, 0},
		{"done", circ(circmgr.Built), 0},
		{"after that", failedLink(refused()), 0},
	} {
		got := counts(tt.e)
		if (tt.want == 0) != (len(got) == 0) || tt.want > 0 && got[0] != tt.want {
			t.Errorf("%s: %v, want %d", tt.name, got, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		err    error
		reason string
		advice string // some words of it
	}{
		{refused(), "CONNECTREFUSED", "firewall"},
		{dialed("connect", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}), "NOROUTE", "reach the network"},
		{dialed("connect", syscall.EHOSTUNREACH), "NOROUTE", "reach the network"},
		{dialed("connect", syscall.EACCES), "NOROUTE", "sandbox"},
		{dialed("connect", syscall.EPERM), "NOROUTE", "sandbox"},
		{dialed("connect", syscall.ETIMEDOUT), "TIMEOUT", "do not answer"},
		{dialed("connect", context.DeadlineExceeded), "TIMEOUT", "do not answer"},
		{dialed("TLS", syscall.ECONNRESET), "CONNECTRESET", "are cut"},
		{dialed("TLS", io.EOF), "TLS_ERROR", "encrypted"},
		{dialed("handshake", link.ErrWrongIdentity), "IDENTITY", "captive portal"},
		{dialed("handshake", io.EOF), "PROTOCOL", "does not speak Tor"},
		{fmt.Errorf("%w: it was valid until then", dirsync.ErrExpired), "CLOCK_SKEW", "time"},
		{dirsync.ErrFuture, "CLOCK_SKEW", "time"},
		{fmt.Errorf("consensus diff: %w", dirsync.ErrUnsigned), "UNSIGNED", "DirAuthority"},
		{&dirclient.StatusError{Status: 404}, "DIRSERVER", "another one"},
		{fmt.Errorf("%w, and: %w", dirsync.ErrExpired, &dirclient.StatusError{Status: 304}), "CLOCK_SKEW", "time"},
		{&pathsel.Error{Reason: pathsel.NotChosen}, "NOPATH", "ExitNodes"},
		{&guard.Error{}, "NOPATH", "EntryNodes"},
		{fmt.Errorf("extending to hop 2: %w", circmgr.ErrBuildTimeout), "TIMEOUT", "do not answer"},
		{&circuit.PeerClosedError{}, "MISC", "Another relay"},
		{errors.New("strange"), "MISC", "Another relay"},
	} {
		reason, advice := explain(tt.err)
		if reason != tt.reason || !strings.Contains(advice, tt.advice) || !strings.HasSuffix(advice, ".") && !strings.HasSuffix(advice, "\".") {
			t.Errorf("%v: %s, %q; want %s and %q", tt.err, reason, advice, tt.reason, tt.advice)
		}
	}
}

func TestSkews(t *testing.T) {
	var tr Tracker
	for _, tt := range []struct {
		e    any
		want time.Duration
	}{
		{link.Event{State: link.StateOpen, Skew: 59 * time.Minute}, 0},
		{link.Event{State: link.StateOpen, Skew: -59 * time.Minute}, 0},
		{link.Event{State: link.StateOpen, Skew: 2 * time.Hour}, 2 * time.Hour},
		{link.Event{State: link.StateOpen, Skew: -2 * time.Hour}, -2 * time.Hour},
		{link.Event{State: link.StateConnecting, Skew: 2 * time.Hour}, 0},
		{dirsync.Event{Stage: dirsync.RequestingStatus, Skew: -30 * time.Hour, Err: dirsync.ErrFuture}, -30 * time.Hour},
	} {
		got := time.Duration(0)
		for _, x := range tr.Handle(tt.e) {
			if s, ok := x.(Skew); ok {
				got = s.Ahead
			}
		}
		if got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.e, got, tt.want)
		}
	}
}

// lines is a log of lines "level text".
type lines struct {
	mu   *sync.Mutex
	list *[]string
}

func newLines() lines { return lines{new(sync.Mutex), new([]string)} }

func (l lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l lines) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l lines) WithGroup(string) slog.Handler                    { return l }
func (l lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	level := "notice"
	if r.Level >= slog.LevelWarn {
		level = "warn"
	}
	*l.list = append(*l.list, level+" "+r.Message)
	return nil
}

func (l lines) take() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	list := *l.list
	*l.list = nil
	return list
}

// follow runs Run in a bubble.
func follow(t *testing.T, f func(t *testing.T, bus *event.Bus, log lines)) {
	synctest.Test(t, func(t *testing.T) {
		bus, log := new(event.Bus), newLines()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		sub := Subscribe(bus)
		wg.Go(func() { Run(ctx, bus, sub, slog.New(log)) })
		defer wg.Wait()
		defer cancel()
		synctest.Wait()
		f(t, bus, log)
	})
}

func TestRun(t *testing.T) {
	follow(t, func(t *testing.T, bus *event.Bus, log lines) {
		sub := bus.Subscribe(100)
		for _, e := range slices.Concat(connect, fetch, []any{dir(dirsync.Enough), circ(circmgr.Built)}) {
			bus.Publish(e)
		}
		got := log.take()
		want := []Phase{0, 5, 10, 14, 15, 20, 25, 30, 40, 45, 75, 90, 95, 100}
		for i, p := range want {
			if i >= len(got) || got[i] != "notice Bootstrapped "+ctor[p] {
				t.Fatalf("log %q, want %v", got, want)
			}
		}
		told := 0
		for told < len(want)-1 {
			e, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := e.(Status); ok {
				told++
			}
		}
	})
}

// One relay that is down is no news. When several are, the log says what is wrong and what to do, and does not say it
// again and again.
func TestProblemLog(t *testing.T) {
	follow(t, func(t *testing.T, bus *event.Bus, log lines) {
		log.take()
		addr := netip.MustParseAddrPort("192.0.2.77:443")
		down := failedLink(&link.DialError{Addr: addr, Op: "connect", Err: syscall.ECONNREFUSED})
		bus.Publish(linkTo(link.StateConnecting))
		bus.Publish(down)
		bus.Publish(down)
		if got := log.take(); len(got) != 1 {
			t.Errorf("after two problems: %q", got)
		}
		bus.Publish(down)
		want := "warn Problem bootstrapping. Stuck at 5% (conn): Connecting to a relay. " +
			"(connect to relay at [scrubbed]: connection refused; CONNECTREFUSED; count 3; recommendation warn) The relay refuses"
		got := log.take()
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("after three problems: %q, want %q", got, want)
		}
		for range 500 {
			bus.Publish(down)
		}
		if got := log.take(); len(got) < 2 || len(got) > 6 {
			t.Errorf("after five hundred problems %d lines: %q", len(got), got)
		}
		bus.Publish(failedLink(dialed("handshake", link.ErrWrongIdentity)))
		if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "IDENTITY") {
			t.Errorf("a new kind of problem: %q", got)
		}
	})
}

// What no other relay can mend is told at once.
func TestSeriousProblemLog(t *testing.T) {
	for _, err := range []error{dirsync.ErrExpired, dirsync.ErrFuture, dirsync.ErrUnsigned} {
		follow(t, func(t *testing.T, bus *event.Bus, log lines) {
			log.take()
			bus.Publish(failedDir(dirsync.RequestingStatus, err))
			if got := log.take(); len(got) != 1 || !strings.Contains(got[0], err.Error()) {
				t.Errorf("%v: %q", err, got)
			}
		})
	}
}

func TestSkewLog(t *testing.T) {
	follow(t, func(t *testing.T, bus *event.Bus, log lines) {
		log.take()
		open := func(skew time.Duration) { bus.Publish(link.Event{State: link.StateOpen, Skew: skew}) }
		open(-3*time.Hour - 29*time.Second)
		open(-3 * time.Hour)
		open(-3*time.Hour + 59*time.Minute)
		got := log.take()
		want := "warn Our clock is 3h0m0s behind that of the relays that we talk to. Tor needs an accurate clock"
		if got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "notice") }); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q, want %q once", got, want)
		}
		open(26 * time.Hour)
		if got := log.take(); len(got) != 1 || !strings.Contains(got[0], "26h0m0s ahead of") {
			t.Errorf("%q", got)
		}
	})
}

// Events that come faster than they are handled are lost; what comes after them counts.
func TestOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, log := new(event.Bus), newLines()
		sub := Subscribe(bus)
		for range 3 * subscription {
			bus.Publish(linkTo(link.StateConnecting))
		}
		var wg sync.WaitGroup
		wg.Go(func() { Run(t.Context(), bus, sub, slog.New(log)) })
		synctest.Wait()
		bus.Publish(dir(dirsync.Enough))
		bus.Publish(circ(circmgr.Built))
		if got := log.take(); got[len(got)-1] != "notice Bootstrapped 100% (done): Done" {
			t.Errorf("%q", got)
		}
		bus.Close()
		wg.Wait()
	})
}

// Two kinds of problems that come in turn are told as seldom as one.
func TestAlternatingProblems(t *testing.T) {
	var text bytes.Buffer
	told := tell{log: slog.New(slog.NewTextHandler(&text, nil))}
	for n := range 200 {
		told.problem(Problem{Reason: []string{"MISC", "NOPATH"}[n%2], Err: errors.New("no"), Count: n + 1})
	}
	if lines := strings.Count(text.String(), "\n"); lines < 3 || lines > 8 {
		t.Errorf("%d warnings:\n%s", lines, text.String())
	}
}
