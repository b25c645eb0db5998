package interop_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// testDeaths takes the network apart under a client that has two relays to choose from for the hop of a path that dies, and
// for the others those that live, none of them an authority.
func testDeaths(t *testing.T, b *bed) {
	choice := [][]string{{"relay1", "relay2"}, {"relay3", "relay4"}, {"exit1", "exit2"}}
	torrc := func() []string {
		return []string{
			"EntryNodes " + b.fingerprints(choice[0]...),
			"MiddleNodes " + b.fingerprints(choice[1]...),
			"ExitNodes " + b.fingerprints(choice[2]...),
			"StrictNodes 1",
		}
	}
	node := b.add(t, testnet.NodeConfig{Name: "client6", Torrc: torrc()})
	t.Run("authorities", func(t *testing.T) { testAuthoritiesDie(t, b, node) })
	for hop, name := range []string{"entry", "middle", "exit"} {
		t.Run(name, func(t *testing.T) {
			dead := testRelayDies(t, b, node, hop, name)
			choice[hop] = slices.DeleteFunc(choice[hop], func(name string) bool { return name == dead })
		})
		node.SetTorrc(torrc()...)
		restart(t, node)
	}
}

// testAuthoritiesDie takes all authorities away. The client goes on with the consensus it has, even when that has expired,
// and even if it is started anew.
func testAuthoritiesDie(t *testing.T, b *bed, node *testnet.Node) {
	name := b.name("headless")
	b.works(t, node.SOCKS, name, "before")
	for _, authority := range []string{"authority1", "authority2", "authority3"} {
		b.net.Node(authority).Kill()
	}
	b.works(t, node.SOCKS, name, "before")
	b.works(t, node.SOCKS, name, "new circuit")
	waitExpired(t, node)
	b.works(t, node.SOCKS, name, "expired consensus")
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	before := len(readLog(t, node))
	restart(t, node)
	if line := downloads.FindString(readLog(t, node)[before:]); line != "" {
		t.Errorf("start without authorities downloaded the directory: %q", line)
	}
	b.works(t, node.SOCKS, name, "new process")
}

var validUntil = regexp.MustCompile(`(?m)^valid-until (.*)$`)

// waitExpired returns when the consensus that a client has is not valid any more. A relay may give it a newer one meanwhile.
func waitExpired(t *testing.T, node *testnet.Node) {
	t.Helper()
	ctx := deadline(t, taskTimeout)
	for {
		text, err := os.ReadFile(filepath.Join(ctor.DataDir(node.Dir), "cached-microdesc-consensus"))
		if err != nil {
			t.Fatal(err)
		}
		m := validUntil.FindSubmatch(text)
		if m == nil {
			t.Fatalf("the cached consensus does not say until when it is valid:\n%s", text)
		}
		until, err := time.Parse(time.DateTime, string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		wait := time.Until(until)
		if wait < 0 {
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			t.Fatal("the consensus does not expire: ", context.Cause(ctx))
		}
	}
}

// recovered is how soon streams break off after a relay has died. It is a second mostly.
const recovered = 30 * time.Second

// replaced is how soon another download is there after a relay has died. Half of the paths that a client chooses go through the
// dead relay, for nobody knows that it is, and the client makes pauses when builds keep failing: this leaves it some twenty.
const replaced = 3 * time.Minute

// testRelayDies kills a hop of a path in the middle of a download. The download breaks off, and another one goes through
// the other relay. Nobody tells the client that the relay is dead: the consensus has it as running, and there are no
// authorities to make another one. The relay stays dead, since those of C tor do not connect to it for a minute.
// It returns the relay's name.
func testRelayDies(t *testing.T, b *bed, node *testnet.Node, hop int, name string) string {
	d := b.startEndless(t, node, b.name("before-"+name))
	victim := b.net.Node(path(t, node, d.target)[hop])
	victim.Kill()
	begin := time.Now()
	host := b.name("after-" + name)
	ctx := deadline(t, replaced)
	var took time.Duration
	var err error
	var wg sync.WaitGroup
	wg.Go(func() {
		err = download(ctx, viaGo, proxyURL(node.SOCKS, ""), b.web.url(host, "/body"), name, 10_000)
		took = time.Since(begin)
	})
	broken := d.wantEnd(t, recovered)
	if wg.Wait(); err != nil {
		t.Fatal(err)
	}
	if after := path(t, node, b.web.target(host)); slices.Contains(after, victim.Name) {
		t.Errorf("path %q goes through %s, which is dead", after, victim.Name)
	}
	t.Logf("%s killed: broken off after %v, another page after %v", victim.Name, broken.Round(time.Millisecond), took.Round(time.Millisecond))
	return victim.Name
}

// path is that of a stream, once the log tells it.
func path(t *testing.T, node *testnet.Node, target string) []string {
	t.Helper()
	ctx := deadline(t, taskTimeout)
	circuitOf(ctx, t, node, target)
	hops, err := node.Path(ctx, target)
	if err != nil {
		t.Fatal(err)
	}
	if len(hops) != 3 {
		t.Fatalf("path %q, want three hops", hops)
	}
	return hops
}
