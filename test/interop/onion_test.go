package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// TestOnionRelays has onion services and clients of C tor meet at relays of ours, which are all relays of the network but for
// the authorities: directories, introduction points and rendezvous points.
//
// https://spec.torproject.org/rend-spec/index.html
func TestOnionRelays(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	bin := build(t)
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 3, Relays: 5, Exits: 2, Clients: testnet.None, Bins: map[string]string{testnet.All: "tor", "relay": bin, "exit": bin},
		Dir: os.Getenv("TROPEA_INTEROP_DIR"),
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	b := &bed{net: n, web: newWeb(t)}
	others := "ExcludeNodes " + b.fingerprints("authority1", "authority2", "authority3")
	client := b.add(t, testnet.NodeConfig{Name: "client1", Torrc: []string{others}})

	// Two services: one limits introductions, for which it needs HSIntro=5; one is linked to the relays, which is what the relays
	// can tell from clients.
	limited := startOnion(t, b, "limited", others, "HiddenServiceEnableIntroDoSDefense 1")
	single := startOnion(t, b, "single", others, "HiddenServiceNonAnonymousMode 1", "HiddenServiceSingleHopMode 1")
	for _, o := range []*onionHost{limited, single} {
		t.Run(o.name, func(t *testing.T) {
			base := "http://" + o.host
			must(t, download(deadline(t, joinTimeout), viaCurl, proxyURL(client.SOCKS, ""), base+"/body", o.name, 1))
			var wg sync.WaitGroup
			for i := range 6 {
				proxy := proxyURL(client.SOCKS, fmt.Sprint(o.name, i/2)) // two of them share a circuit
				seed := fmt.Sprint(o.name, i)
				wg.Go(func() {
					for _, size := range []int64{498, 10_000, 5 << 20} {
						if err := download(deadline(t, bulkTimeout), viaGo, proxy, base+"/body", seed, size); err != nil {
							t.Error(err)
						}
					}
					if err := upload(deadline(t, bulkTimeout), viaGo, proxy, base+"/sum", seed, 2<<20); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			wantMetAtOurs(t, client)
			log, err := o.proc.Log()
			must(t, err)
			for _, line := range ctor.ProtocolWarnings(log) {
				t.Error("protocol warning: ", line)
			}
		})
	}
	t.Run("padding", func(t *testing.T) { testPaddingOfOurs(t, client) })
	warnings, err := n.ProtocolWarnings()
	must(t, err)
	for _, line := range warnings {
		if !documents.MatchString(line) && !strings.Contains(line, "Problem bootstrapping") { // before the first vote
			t.Error("protocol warning: ", line)
		}
	}
	for _, node := range n.Nodes() {
		for line := range strings.Lines(readLog(t, node)) {
			if node.Role != testnet.Authority && bad.MatchString(line) {
				t.Errorf("%s: %s", node.Name, line)
			}
		}
	}
}

// wantMetAtOurs checks that a client of C tor has circuits to services that meet at relays of ours.
func wantMetAtOurs(t *testing.T, client *testnet.Node) {
	t.Helper()
	c, err := client.Control(deadline(t, taskTimeout))
	must(t, err)
	defer c.Close()
	circuits, err := c.GetInfo("circuit-status")
	must(t, err)
	met := 0
	for _, line := range circuits {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "BUILT" || !slices.Contains(f, "HS_STATE=HSCR_JOINED") {
			continue
		}
		met++
		if strings.Contains(f[2][strings.LastIndexByte(f[2], ',')+1:], "authority") {
			t.Errorf("the rendezvous point is not ours: %s", line)
		}
	}
	if met < 3 {
		t.Errorf("%d circuits are joined, want 3 or more of\n%s", met, strings.Join(circuits, "\n"))
	}
}

// An onionHost is a service of C tor in front of the web server.
type onionHost struct {
	name, host string
	proc       *ctor.Process
}

var onionUploaded = regexp.MustCompile(`Uploading hidden service descriptor: finished with status 200`)

// startOnion starts a service, and waits until it has published its descriptor.
func startOnion(t *testing.T, b *bed, name string, torrc ...string) *onionHost {
	t.Helper()
	return startOnionIn(t, b, name, t.TempDir(), torrc...)
}

// startOnionIn is startOnion with a directory whose "service" may hold files of the service.
func startOnionIn(t *testing.T, b *bed, name, dir string, torrc ...string) *onionHost {
	t.Helper()
	keys := filepath.Join(dir, "service")
	lines := ctor.Torrc(b.net.ClientTorrc())
	lines.Add("SocksPort", "0")
	lines.Add("HiddenServiceDir", keys)
	lines.Add("HiddenServicePort", "80", b.web.target(loopback))
	lines = append(lines, torrc...)
	lines.Add("Log", "info", "stdout")
	tor, err := ctor.Find("tor")
	must(t, err)
	o := &onionHost{name: name}
	o.proc, err = ctor.Start(ctor.Config{Name: name, Bin: tor, Dir: dir, Torrc: lines})
	must(t, err)
	t.Cleanup(func() { must(t, o.proc.Stop()) })
	_, err = o.proc.Wait(deadline(t, startTimeout), onionUploaded)
	must(t, err)
	host, err := os.ReadFile(filepath.Join(keys, "hostname"))
	must(t, err)
	o.host = strings.TrimSpace(string(host))
	return o
}
