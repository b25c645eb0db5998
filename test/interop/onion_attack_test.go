package interop_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// TestOnionAttacks has an onion service in a network of ours: its host and a client are watched for whatever goes past their
// guards, and then all its introduction points die at once.
func TestOnionAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("a network takes 10 seconds")
	}
	setTrap(t)
	bin, begin := build(t), time.Now()
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 3, Relays: 12, Exits: 1, Clients: 1, Bins: map[string]string{testnet.All: bin}, Dir: os.Getenv("TROPEA_INTEROP_DIR"),
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	t.Logf("the network is up after %v", time.Since(begin).Round(time.Millisecond))
	b := &bed{net: n, web: newWeb(t), client: n.Node("client1")}
	showLog(t, b.client)
	onions := &onionBed{bed: b, bin: bin, files: n.Dir()}
	host := onions.newHost(t, ours, "host",
		"HiddenServiceDir "+filepath.Join(n.Dir(), "host", "service", "web"), "HiddenServicePort 80 "+b.web.target(loopback))
	must(t, host.start())
	must(t, host.wait(deadline(t, startTimeout), 1))
	name := host.address(t, "web")
	// Both start with the consensus that they have: from then on there is no reason to connect to anybody but guards. Before that
	// clients ask authorities for one.
	must(t, host.proc.Stop())
	must(t, b.client.Stop())
	log, err := host.proc.Log()
	must(t, err)
	host.begin = len(log)
	var atHost *watch
	host.proc, atHost = startWatched(t, ctor.Config{Name: "host", Bin: bin, Dir: host.dir, Torrc: host.torrc})
	client, atClient := startWatched(t, ctor.Config{Name: "client", Bin: bin, Dir: b.client.Dir, Torrc: torrcOf(t, b.client.Dir)})
	must(t, host.wait(deadline(t, joinTimeout), 1))
	must(t, client.WaitBootstrap(deadline(t, joinTimeout), 100))
	t.Run("leaks", func(t *testing.T) { testLeaks(t, b, host, name, atHost, atClient) })
	t.Run("introduction points die", func(t *testing.T) { testIntroDeath(t, b, host, name) })
	for _, w := range []*watch{atHost, atClient} {
		if w == nil {
			continue
		}
		for _, c := range w.all() { // guards may have died, too, but that is no reason for anything else
			if c.what != "connect" && c != (call{"listen", netip.MustParseAddrPort(b.client.SOCKS)}) {
				t.Errorf("after the death of introduction points: %v", c)
			}
		}
	}
	warnings, err := n.ProtocolWarnings()
	must(t, err)
	for _, line := range warnings {
		if !strings.Contains(line, "Problem bootstrapping") { // before the first vote
			t.Error("protocol warning: ", line)
		}
	}
}

// maxGuards is how many guards a client has in use: one for circuits, and three for documents.
const maxGuards = 3

// testLeaks has the client ask for all kinds of things, and then looks at what client and host have done.
//
// https://spec.torproject.org/guard-spec/
func testLeaks(t *testing.T, b *bed, host *onionHost, name string, atHost, atClient *watch) {
	must(t, download(deadline(t, taskTimeout), viaGo, proxyURL(b.client.SOCKS, ""), "http://"+name+"/body", "leak", 100_000))

	plain := b.name("leaks")
	must(t, download(deadline(t, taskTimeout), viaGo, proxyURL(b.client.SOCKS, ""), b.web.url(plain, "/body"), "plain", 1000))
	for _, target := range []string{onion, "expyuzz4wqqyqhjn.onion", "x" + onion, "www." + name, "unknown.test", "localhost", "10.0.0.1"} {
		conn, reply, err := ask(deadline(t, taskTimeout), b.client.SOCKS, connect(target, 80))
		onion := strings.HasSuffix(target, ".onion") && !strings.HasSuffix(target, name)
		if err == nil && reply.Code == socksmsg.Succeeded && onion {
			t.Errorf("%s can be reached", target)
		}
		if conn != nil {
			conn.Close()
		}
	}
	if b.net.DNS.Queries(plain) == 0 || b.net.DNS.Queries(name) > 0 || b.net.DNS.Queries(onion) > 0 {
		t.Errorf("exits were asked %d times for the name, %d times for onion addresses", b.net.DNS.Queries(plain), b.net.DNS.Queries(name)+b.net.DNS.Queries(onion))
	}
	log, err := host.proc.Log()
	must(t, err)
	for line := range strings.Lines(log + readLog(t, b.client)) {
		if strings.Contains(line, traceMark) {
			t.Errorf("a name was looked up: %s", line)
		}
	}
	if atHost == nil || atClient == nil {
		t.Skip("this system does not let us watch processes")
	}
	b.wantGuards(t, "host", atHost, ctor.DataDir(host.dir), call{"connect", netip.MustParseAddrPort(b.web.target(loopback))})
	b.wantGuards(t, "client", atClient, ctor.DataDir(b.client.Dir), call{"listen", netip.MustParseAddrPort(b.client.SOCKS)})
}

// torrcOf is the configuration of a process that has run.
func torrcOf(t *testing.T, dir string) (torrc ctor.Torrc) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "torrc"))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "DataDirectory ") {
			torrc = append(torrc, strings.TrimSuffix(line, "\n"))
		}
	}
	return torrc
}

// wantGuards checks that a process has connected to guards, and to few of those, and has done nothing else but one thing.
func (b *bed) wantGuards(t *testing.T, name string, w *watch, data string, allowed call) {
	t.Helper()
	calls := w.all()
	text, err := os.ReadFile(filepath.Join(data, "state"))
	must(t, err)
	doc, err := statedoc.Parse(text)
	must(t, err)
	guards, errs := doc.Guards()
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	sampled := map[netip.AddrPort]string{}
	for _, g := range guards {
		for _, node := range b.net.Nodes() {
			if strings.EqualFold(node.Fingerprint, hex.EncodeToString(g.RSA[:])) {
				sampled[netip.MustParseAddrPort(node.ORPort)] = node.Name
			}
		}
	}
	used := map[string]bool{}
	for _, c := range calls {
		guard := sampled[c.addr]
		switch {
		case c == allowed:
		case c.what == "connect" && guard != "":
			used[guard] = true
		default:
			t.Errorf("%s: %v", name, c)
		}
	}
	if len(used) == 0 || len(used) > maxGuards || !slices.Contains(calls, allowed) {
		t.Errorf("%s has used guards %v, and done %v", name, used, calls)
	}
	t.Logf("%s: %v; guards %v of %d", name, calls, used, len(sampled))
}

var introEstablished = regexp.MustCompile(`introduction point established: .*relay=(\S+)`)

// maxRecovery is how long the service may be away for a client of ours; on an idle machine it takes some ten seconds.
const maxRecovery = time.Minute

// testIntroDeath kills all introduction points of a service, and tells how long clients that know no others, ours and C tor's, need
// to reach it again.
func testIntroDeath(t *testing.T, b *bed, host *onionHost, name string) {
	clients := map[string]*testnet.Node{"ours": b.client}
	if tor, err := ctor.Find("tor"); err == nil {
		clients["C tor"] = b.add(t, testnet.NodeConfig{Name: "client2", Bin: tor})
	}
	get := func(node *testnet.Node, user string) error {
		return download(deadline(t, taskTimeout), viaGo, proxyURL(node.SOCKS, user), "http://"+name+"/body", user, 1000)
	}
	for _, node := range clients { // so that they have the descriptor: some directories may have the one of the run before still
		ctx := deadline(t, startTimeout)
		for i := 0; ; i++ {
			err := get(node, fmt.Sprint("before", i))
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // as somebody who tries again
		}
	}
	log, err := host.proc.Log()
	must(t, err)
	var points []string
	for _, m := range introEstablished.FindAllStringSubmatch(log, -1) {
		points = append(points, m[1])
	}
	if len(points) < 3 {
		t.Fatalf("introduction points %v", points)
	}
	points = points[len(points)-3:]
	for _, p := range points {
		b.net.Node(p).Kill()
	}
	start := time.Now()
	type result struct {
		who   string
		took  time.Duration
		tries int
		err   error
	}
	results := make(chan result)
	for who, node := range clients {
		go func() {
			r := result{who: who}
			for {
				r.tries++
				if r.err = get(node, fmt.Sprint("after", r.tries)); r.err == nil || time.Since(start) > 2*maxRecovery {
					break
				}
				time.Sleep(time.Second) // as somebody who tries again
			}
			r.took = time.Since(start)
			results <- r
		}()
	}
	for range clients {
		r := <-results
		t.Logf("after the death of %v, %s reaches the service in %v, at attempt %d", points, r.who, r.took.Round(time.Millisecond), r.tries)
		if r.err != nil || r.who == "ours" && r.took > maxRecovery {
			t.Errorf("%s: the service was away for %v: %v", r.who, r.took, r.err)
		}
	}
}
