package interop_test

import (
	"bytes"
	"context"
	"crypto/sha3"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/consdiff"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The relays and exits of ours in the network of TestRelay.
var ourRelays = []string{"relay3", "relay4", "exit2"}

// TestRelay runs relays of ours in a network of C tor, and lets clients of both kinds go through them in every place. C tor's
// authorities and relays connect to them, extend to them and are extended to by them.
func TestRelay(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	bin := build(t)
	bins := map[string]string{testnet.All: "tor", "client": bin}
	for _, name := range ourRelays {
		bins[name] = bin
	}
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 3, Relays: 4, Exits: 2, Clients: testnet.None, Bins: bins,
		Torrc: map[string][]string{"relay3": {"DirPort 127.0.0.1:auto"}, "exit": {"IPv6Exit 1"}},
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	b := &bed{net: n, web: newWeb(t)}
	for _, name := range ourRelays {
		showLog(t, n.Node(name))
	}
	t.Run("flags", func(t *testing.T) { testFlags(t, b) })
	t.Run("places", func(t *testing.T) { testPlaces(t, b, bin) })
	t.Run("cache", func(t *testing.T) { testOurCache(t, b) })
	t.Run("C tor from our cache alone", func(t *testing.T) { testCacheAlone(t, b) })
	t.Run("kill", func(t *testing.T) { testKill(t, b) })
	t.Run("SIGINT", func(t *testing.T) { testInterrupted(t, b) })
	warnings, err := n.ProtocolWarnings()
	must(t, err)
	for _, line := range warnings {
		if !documents.MatchString(line) && !strings.Contains(line, "Problem bootstrapping") { // before the first vote
			t.Error("protocol warning: ", line)
		}
	}
}

// Authorities give a relay of ours the flags that they would give to C tor's.
func testFlags(t *testing.T, b *bed) {
	ctx := deadline(t, taskTimeout)
	for name, want := range map[string][]string{
		"relay3": {"Fast", "Guard", "HSDir", "Running", "Stable", "V2Dir", "Valid"},
		"relay4": {"Fast", "Guard", "HSDir", "Running", "Stable", "V2Dir", "Valid"},
		"exit2":  {"Exit", "Fast", "Guard", "HSDir", "Running", "Stable", "V2Dir", "Valid"},
	} {
		for {
			flags, err := b.net.Node("authority1").Flags(ctx)
			must(t, err)
			missing := slices.DeleteFunc(slices.Clone(want), func(f string) bool { return slices.Contains(flags[name], f) })
			if len(missing) == 0 {
				break
			}
			select {
			case <-ctx.Done():
				t.Fatalf("%s has flags %v, and not %v", name, flags[name], missing)
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

func testPlaces(t *testing.T, b *bed, bin string) {
	host, host6 := b.name("relay"), b.name("relay6", "::1")
	for i, tt := range []struct {
		name, bin string
		path      testnet.Path
	}{
		{"C tor's client, our guard", "tor", testnet.Path{Entry: "relay3", Middle: "relay1", Exit: "exit1"}},
		{"C tor's client, our middle", "tor", testnet.Path{Entry: "relay1", Middle: "relay3", Exit: "exit1"}},
		{"C tor's client, our exit", "tor", testnet.Path{Entry: "relay1", Middle: "relay2", Exit: "exit2"}},
		{"C tor's client, all ours", "tor", testnet.Path{Entry: "relay3", Middle: "relay4", Exit: "exit2"}},
		{"our client, our guard", bin, testnet.Path{Entry: "relay3", Middle: "relay1", Exit: "exit1"}},
		{"our client, our middle", bin, testnet.Path{Entry: "relay1", Middle: "relay3", Exit: "exit1"}},
		{"our client, our exit", bin, testnet.Path{Entry: "relay1", Middle: "relay2", Exit: "exit2"}},
		{"our client, all ours", bin, testnet.Path{Entry: "relay3", Middle: "relay4", Exit: "exit2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := b.add(t, testnet.NodeConfig{Name: fmt.Sprintf("client%d", i+1), Bin: tt.bin, Path: tt.path})
			defer client.Stop()
			proxy := proxyURL(client.SOCKS, "a:b")
			for _, size := range []int64{1, 10_000, 20 << 20} {
				if err := download(deadline(t, taskTimeout), viaCurl, proxy, b.web.url(host, "/body"), tt.name, size); err != nil {
					t.Error(err)
				}
			}
			if err := upload(deadline(t, taskTimeout), viaGo, proxy, b.web.url(host, "/sum"), tt.name, 5<<20); err != nil {
				t.Error(err)
			}
			if tt.path.Exit == "exit2" && b.web.v6 {
				if err := download(deadline(t, taskTimeout), viaGo, proxy, b.web.url(host6, "/body"), tt.name, 100_000); err != nil {
					t.Error("IPv6: ", err)
				}
			}
			if tt.path.Exit == "exit2" {
				// A port where nobody listens, and a name that does not exist, end at once.
				for _, target := range []string{"http://" + host + ":1/", "http://nothing.test/"} {
					if _, err := request(deadline(t, taskTimeout), proxy, target, nil); err == nil {
						t.Errorf("%s: no error", target)
					}
				}
			}
		})
	}
}

var dirListener = regexp.MustCompile(`Opened Directory listener connection \(ready\) on (127\.0\.0\.1:\d+)`)

// ask gets a document from a DirPort.
func document(ctx context.Context, port, path string, head map[string]string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+port+path, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	for k, v := range head {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// Our cache has what the authorities have, and diffs.
func testOurCache(t *testing.T, b *bed) {
	ctx := deadline(t, taskTimeout)
	line, err := b.net.Node("relay3").Wait(ctx, dirListener)
	must(t, err)
	ours, theirs := dirListener.FindStringSubmatch(line)[1], b.net.Node("authority1").DirPort
	get := func(port, path string, head map[string]string) []byte {
		t.Helper()
		status, body, err := document(ctx, port, path, head)
		must(t, err)
		if status != http.StatusOK {
			return nil
		}
		return body
	}
	if a, b := get(ours, "/tor/keys/all", nil), get(theirs, "/tor/keys/all", nil); len(a) != len(b) { // in another order
		t.Errorf("certificates: ours has %d bytes, the authority %d", len(a), len(b))
	}
	for _, path := range []string{
		"/tor/status-vote/current/consensus", "/tor/status-vote/current/consensus-microdesc",
		"/tor/server/fp/" + b.net.Node("relay1").Fingerprint, "/tor/server/authority",
	} {
		for !bytes.Equal(get(ours, path, nil), get(theirs, path, nil)) {
			if path == "/tor/server/authority" { // the own descriptor
				if !bytes.Contains(get(ours, path, nil), []byte("router relay3 ")) {
					t.Error("our own descriptor is not served")
				}
				break
			}
			select {
			case <-ctx.Done():
				t.Fatalf("%s: ours has %d bytes, the authority %d", path, len(get(ours, path, nil)), len(get(theirs, path, nil)))
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	// A diff leads from an old consensus to the next one.
	const path = "/tor/status-vote/current/consensus-microdesc"
	old := get(ours, path, nil)
	signed, _, ok := bytes.Cut(old, []byte("directory-signature "))
	if !ok {
		t.Fatalf("%q is no consensus", old)
	}
	from := fmt.Sprintf("%X", sha3.Sum256(append(signed, "directory-signature "...)))
	for {
		answer := get(ours, path, map[string]string{"X-Or-Diff-From-Consensus": from})
		if consdiff.IsDiff(answer) {
			next, err := consdiff.Apply(old, answer)
			must(t, err)
			if bytes.Equal(next, old) || !bytes.HasPrefix(next, []byte("network-status-version 3 microdesc")) {
				t.Error("the diff leads nowhere")
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("no diff")
		case <-time.After(500 * time.Millisecond):
		}
	}
}

var (
	dirAddr   = regexp.MustCompile(`127\.0\.0\.1:\d+ `)
	orPortArg = regexp.MustCompile(`orport=\d+`)
)

// A client of C tor that can reach no authority bootstraps from our cache, and goes on with diffs.
func testCacheAlone(t *testing.T, b *bed) {
	ours := b.net.Node("relay3")
	var torrc ctor.Torrc
	for _, line := range b.net.ClientTorrc() {
		if strings.HasPrefix(line, "DirAuthority ") {
			line = orPortArg.ReplaceAllString(dirAddr.ReplaceAllString(line, "127.0.0.1:1 "), "orport=1")
		}
		torrc = append(torrc, line)
	}
	host, port, _ := strings.Cut(ours.ORPort, ":")
	torrc.Add("FallbackDir", host, "orport="+port, "id="+ours.Fingerprint)
	torrc.Add("EntryNodes", "$"+ours.Fingerprint)
	torrc.Add("StrictNodes", "1")
	torrc.Add("ConfluxEnabled", "0")
	torrc.Add("SocksPort", "auto")
	torrc.Add("Log", "info", "stdout")
	tor, err := ctor.Find("tor")
	must(t, err)
	client, err := ctor.Start(ctor.Config{Name: "alone", Bin: tor, Dir: t.TempDir(), Torrc: torrc})
	must(t, err)
	t.Cleanup(func() { must(t, client.Stop()) })
	must(t, client.WaitBootstrap(deadline(t, joinTimeout), 100))
	line, err := client.Wait(deadline(t, taskTimeout), regexp.MustCompile(`Socks listener listening on port (\d+)`))
	must(t, err)
	socks := "127.0.0.1:" + regexp.MustCompile(`(\d+)\.`).FindStringSubmatch(line[strings.Index(line, "port "):])[1]
	if err := download(deadline(t, taskTimeout), viaGo, proxyURL(socks, ""), b.web.url(b.name("alone"), "/body"), "alone", 100_000); err != nil {
		t.Error(err)
	}
	if _, err := client.Wait(deadline(t, 2*time.Minute), regexp.MustCompile(`Applied consensus diff`)); err != nil {
		t.Error(err)
	}
}

// A relay that is killed starts again as the same one.
func testKill(t *testing.T, b *bed) {
	node := b.net.Node("relay4")
	fingerprint := node.Fingerprint
	for range 3 {
		node.Kill()
		restart(t, node)
	}
	log := readLog(t, node)
	if n := strings.Count(log, "identity key fingerprint is 'relay4 "+fingerprint+"'"); n != 4 {
		t.Errorf("the relay has named its identity %d times, want 4", n)
	}
}

// A relay that is interrupted waits, and ends in order.
func testInterrupted(t *testing.T, b *bed) {
	node := b.net.Node("relay4")
	must(t, node.Interrupt())
	select {
	case <-node.Done():
	case <-deadline(t, taskTimeout).Done():
		t.Fatal("the relay does not end")
	}
	if log := readLog(t, node); !strings.Contains(log, "we have stopped accepting new connections, and will shut down in 2 seconds") || !strings.Contains(log, "Clean shutdown finished") {
		t.Error("the relay did not say that it waits")
	}
}
