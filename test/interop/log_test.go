package interop_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// showLog makes a failing test show the end of a client's log.
func showLog(t *testing.T, node *testnet.Node) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		lines := strings.SplitAfter(readLog(t, node), "\n")
		t.Logf("the log of %s ends with:\n%s", node.Name, strings.Join(lines[max(0, len(lines)-quoted):], ""))
	})
}

func readLog(t *testing.T, node *testnet.Node) string {
	t.Helper()
	log, err := node.Log()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// circuitOf returns the number of the circuit on which a client has opened a stream to target, host:port.
func circuitOf(ctx context.Context, t *testing.T, node *testnet.Node, target string) string {
	t.Helper()
	opened := regexp.MustCompile(`stream opened: circ=(\d+) to=` + regexp.QuoteMeta(target) + `(?:\s|$)`)
	line, err := node.Wait(ctx, opened)
	if err != nil {
		t.Fatal(err)
	}
	return opened.FindStringSubmatch(line)[1]
}

// testLogs looks at what C tor and our clients say about all that the tests did. It comes last.
func testLogs(t *testing.T, b *bed) {
	warnings, err := b.net.ProtocolWarnings()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range warnings {
		if !documents.MatchString(line) {
			t.Error("protocol warning: ", line)
		}
	}
	for _, node := range b.net.Nodes() {
		if node.Role != testnet.Client {
			continue
		}
		for line := range strings.Lines(readLog(t, node)) {
			if bad.MatchString(line) {
				t.Errorf("%s: %s", node.Name, line)
			}
		}
	}
}

// documents matches what relays and authorities say of each other's votes, consensuses and downloads, mostly when the
// machine is too busy for their timetable. Clients give them no documents. What clients ask for is of domain DIRSERV.
var documents = regexp.MustCompile(`\[warn\] (\{DIR\}|\{DIRSERV\} Rejected vote)`)

// bad is what our log never says unless there is a bug.
var bad = regexp.MustCompile(`\[err\]|Bug:|panic|DATA RACE`)
