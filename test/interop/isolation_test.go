package interop_test

import (
	"fmt"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// testIsolation looks in the client's log for the circuits of streams. Those with the same user and password share one,
// and no others do.
// https://spec.torproject.org/socks-extensions.html
func testIsolation(t *testing.T, b *bed) {
	node := b.add(t, testnet.NodeConfig{Name: "client4"})
	users := []string{"", "alice:1", "bob:1", "alice:2", "alice:1", "", "bob:1", "alice:2"}
	circuits := map[string]string{} // user -> circuit
	owners := map[string]string{}   // circuit -> user
	for i, user := range users {
		name := b.name(fmt.Sprint("isolation", i))
		b.works(t, node.SOCKS, name, user)
		circ := circuitOf(deadline(t, taskTimeout), t, node, b.web.target(name))
		if old, ok := circuits[user]; ok && old != circ {
			t.Errorf("user %q: circuit %s, and %s before", user, circ, old)
		}
		if other, ok := owners[circ]; ok && other != user {
			t.Errorf("user %q shares circuit %s with user %q", user, circ, other)
		}
		circuits[user], owners[circ] = circ, user
	}
}
