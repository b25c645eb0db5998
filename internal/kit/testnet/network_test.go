package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// TestNetwork brings up a network of C tor and fetches a page, through a client that chooses its paths and through one
// that is pinned.
func TestNetwork(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes 20 seconds")
	}
	t.Parallel()
	ctx := t.Context()
	n, err := Start(ctx, Config{
		Authorities: 1, Relays: 2, Exits: 1, Bins: map[string]string{All: "tor"},
		Torrc:    map[string][]string{"relay": {"HeartbeatPeriod 1 hour"}, "relay2": {"MaxOnionQueueDelay 2 seconds"}},
		Progress: func(stage string, took time.Duration) { t.Log(stage, took.Round(10*time.Millisecond)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	torrc, err := os.ReadFile(filepath.Join(n.Node("relay2").Dir, "torrc"))
	if err != nil || !strings.HasSuffix(string(torrc), "\nHeartbeatPeriod 1 hour\nMaxOnionQueueDelay 2 seconds\n") {
		t.Errorf("torrc of relay2 (%v) lacks the lines of its role and its own:\n%s", err, torrc)
	}
	if got := n.ClientTorrc(); !slices.Contains(got, "TestingTorNetwork 1") || !slices.Contains(got, n.Authorities()[0]) {
		t.Errorf("client torrc %q", got)
	}
	p, err := servePage(300_000)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.named(n.DNS)

	f, err := fetch(ctx, n.Node("client1").user(), p.url, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.hops) != 3 || f.hops[2] != "exit1" {
		t.Errorf("path %q (%v), want three hops to exit1", f.hops, f.why)
	}
	if n.DNS.Queries(pageHost) == 0 {
		t.Error("the exit did not ask the network's resolver")
	}

	pinned, err := n.Add(ctx, NodeConfig{Name: "client2", Path: Path{Entry: "relay2", Middle: "relay1", Exit: "exit1"}})
	if err != nil {
		t.Fatal(err)
	}
	pinnedFetch := func() {
		t.Helper()
		if err := pinned.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		f, err := fetch(ctx, pinned.user(), p.url, p)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"relay2", "relay1", "exit1"}; !slices.Equal(f.hops, want) {
			t.Errorf("path %q (%v), want %q", f.hops, f.why, want)
		}
	}
	pinnedFetch()
	pinned.Kill()
	if pinned.Running() {
		t.Error("a killed node runs")
	}
	if err := pinned.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	pinnedFetch()

	if u, err := pinned.Usage(); err == nil && (u.CPU == 0 || u.RSS == 0) || err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("usage %+v, %v", u, err)
	}
	if warnings, err := n.ProtocolWarnings(); err != nil || len(warnings) > 0 {
		t.Errorf("C tor warns of C tor: %q, %v", warnings, err)
	}
	for _, cfg := range []NodeConfig{{Name: "client1"}, {Name: "authority9"}, {Name: "relay"}, {Name: "client9", Path: Path{Exit: "client1"}}} {
		if _, err := n.Add(ctx, cfg); err == nil {
			t.Errorf("%+v was added", cfg)
		}
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := os.Stat(n.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory is still there: %v", err)
	}
}
