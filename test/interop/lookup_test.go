package interop_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// A trap notices every use of the local resolver: in this process, where the library runs, by taking its place, and in
// the program by a trace that package net writes to standard error, and thus into the node's log.
type trap struct {
	mu    sync.Mutex // guards asked
	asked int
}

const (
	traceSetting = "GODEBUG=netdns=go+2"
	traceMark    = "go package net: hostLookupOrder("
	traceProbe   = "TROPEA_INTEROP_PROBE" // has the name that TestMain looks up instead of running tests
)

func TestMain(m *testing.M) {
	becomeWatched()
	if name := os.Getenv(traceProbe); name != "" {
		net.DefaultResolver.LookupHost(context.Background(), name)
		return
	}
	os.Exit(m.Run())
}

// setTrap works until the end of the test. It comes before the first process that it is for.
func setTrap(t *testing.T) *trap {
	tr := new(trap)
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: tr.dial}
	t.Cleanup(func() { net.DefaultResolver = old })
	key, value, _ := strings.Cut(traceSetting, "=")
	t.Setenv(key, value)
	return tr
}

func (tr *trap) dial(context.Context, string, string) (net.Conn, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.asked++
	return nil, errors.New("nobody resolves names here")
}

func (tr *trap) count() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.asked
}

// testLookups says that no name of all those that the tests asked for went to the local resolver, and that the traps would
// have told.
func testLookups(t *testing.T, b *bed) {
	if n := b.leaks.count(); n != 0 {
		t.Errorf("the library asked the local resolver %d times", n)
	}
	net.DefaultResolver.LookupHost(t.Context(), "caught.test")
	if b.leaks.count() == 0 {
		t.Error("the trap in this process does not work")
	}
	clients := 0
	for _, node := range b.net.Nodes() {
		if node.Role != testnet.Client {
			continue
		}
		clients++
		for line := range strings.Lines(readLog(t, node)) {
			if strings.Contains(line, traceMark) {
				t.Errorf("%s looked a name up: %s", node.Name, line)
			}
		}
	}
	probe := exec.CommandContext(t.Context(), os.Args[0])
	probe.Env = append(os.Environ(), traceSetting, traceProbe+"=caught.test")
	out, err := probe.CombinedOutput()
	if err != nil || !strings.Contains(string(out), traceMark+"caught.test)") {
		t.Errorf("the trace of package net does not work: %v\n%s", err, out)
	}
	t.Logf("%d clients looked up no name", clients)
}
