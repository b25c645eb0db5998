package interop_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

const (
	startTimeout = 3 * time.Minute // for the network, on a busy machine
	joinTimeout  = time.Minute     // for a client's way to 100 %
	taskTimeout  = time.Minute     // for what takes a second on an idle machine
	quoted       = 60              // lines of a client's log that a failure shows
)

// A bed is a network of C tor, clients of ours in it, and a web server as a destination.
type bed struct {
	net    *testnet.Network
	web    *web
	client *testnet.Node // the one that most tests share
	leaks  *trap
}

// newBed builds the program and brings the network up. The end of the test takes it down.
func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{leaks: setTrap(t)}
	bin := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	begin := time.Now()
	var err error
	b.net, err = testnet.Start(ctx, testnet.Config{
		Authorities: 3, Relays: 4, Exits: 2, Clients: 1,
		Bins:     map[string]string{testnet.All: "tor", "client": bin},
		Torrc:    map[string][]string{"exit": {"ExitPolicy reject 127.0.0.9:*", "ExitPolicy reject *:25", "IPv6Exit 1"}},
		Dir:      os.Getenv("TROPEA_INTEROP_DIR"),
		Progress: func(stage string, took time.Duration) { t.Log(stage, took.Round(10*time.Millisecond)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.net.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("the network is up after %v", time.Since(begin).Round(time.Millisecond))
	b.web = newWeb(t)
	b.client = b.net.Node("client1")
	showLog(t, b.client)
	return b
}

// build makes the program as it is released.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "tropea")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/tropea-net/tropea/cmd/tropea")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// add starts one more client and waits until it has bootstrapped.
func (b *bed) add(t *testing.T, cfg testnet.NodeConfig) *testnet.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), joinTimeout)
	defer cancel()
	node, err := b.net.Add(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	showLog(t, node)
	if err := node.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return node
}

// restart starts a client again, after it was stopped or killed, and waits until it has bootstrapped.
func restart(t *testing.T, node *testnet.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), joinTimeout)
	defer cancel()
	if err := node.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := node.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// name makes a name that exits, and nobody else, can resolve. Each test takes its own: logs and queries are told apart by
// it.
func (b *bed) name(name string, addrs ...string) string {
	if addrs == nil {
		addrs = []string{loopback}
	}
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	name += ".test"
	b.net.DNS.Set(name, list...)
	return name
}

// fingerprints are those of nodes, as torrc options take them.
func (b *bed) fingerprints(names ...string) string {
	var list []string
	for _, name := range names {
		list = append(list, "$"+b.net.Node(name).Fingerprint)
	}
	return strings.Join(list, ",")
}

// deadline returns a context for one step of a test.
func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("took longer than %v", d))
	t.Cleanup(cancel)
	return ctx
}
