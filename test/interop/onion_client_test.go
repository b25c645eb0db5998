package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// TestOnionClient has our clients use onion services of C tor, in a network of C tor.
//
// https://spec.torproject.org/rend-spec/index.html
func TestOnionClient(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 3, Relays: 5, Exits: 1, Clients: testnet.None, Bins: map[string]string{testnet.All: "tor", "client": build(t)},
		Dir:      os.Getenv("TROPEA_INTEROP_DIR"),
		Progress: func(stage string, took time.Duration) { t.Log(stage, took.Round(10*time.Millisecond)) },
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	b := &bed{net: n, web: newWeb(t)}

	secret, wrong := [32]byte{15: 1}, [32]byte{15: 2}
	plain := startOnion(t, b, "plain", "HiddenServicePort 8080 "+b.web.target(loopback), "HiddenServicePoWDefensesEnabled 1")
	closed := startClosed(t, b, "closed", x25519.FromSecret(&secret).Public())
	client := b.add(t, testnet.NodeConfig{Name: "client1", Torrc: []string{"ClientOnionAuthDir " + authDir(t, closed.host, secret)}})

	t.Run("bodies", func(t *testing.T) {
		base := "http://" + plain.host
		must(t, download(deadline(t, joinTimeout), viaCurl, proxyURL(client.SOCKS, ""), base+"/body", "first", 1))
		var wg sync.WaitGroup
		for i := range 4 {
			proxy := proxyURL(client.SOCKS, fmt.Sprint("user", i/2)) // two of them share a circuit
			seed := fmt.Sprint("onion", i)
			wg.Go(func() {
				for _, size := range []int64{498, 10_000, 5 << 20} {
					if err := download(deadline(t, bulkTimeout), viaGo, proxy, base+"/body", seed, size); err != nil {
						t.Error(err)
					}
				}
				if err := upload(deadline(t, bulkTimeout), viaGo, proxy, base+":8080/sum", seed, 5<<20); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("authorized", func(t *testing.T) {
		must(t, download(deadline(t, joinTimeout), viaGo, proxyURL(client.SOCKS, "auth"), "http://"+closed.host+"/body", "secret", 5<<20))
	})
	t.Run("refused", func(t *testing.T) {
		other := b.add(t, testnet.NodeConfig{
			Name: "client2", Torrc: []string{extendedErrors, "ClientOnionAuthDir " + authDir(t, closed.host, wrong)},
		})
		none := b.add(t, testnet.NodeConfig{Name: "client3", Torrc: []string{extendedErrors}})
		for name, tt := range map[string]struct {
			node *testnet.Node
			host string
			want socksmsg.ReplyCode
		}{
			"wrong key":     {other, closed.host, socksmsg.OnionWrongAuth},
			"no key":        {none, closed.host, socksmsg.OnionMissingAuth},
			"no descriptor": {none, onion, socksmsg.OnionNotFound},
			"bad address":   {none, "a" + onion[1:], socksmsg.OnionBadAddress},
		} {
			_, reply, err := ask(deadline(t, taskTimeout), extendedPort(t, tt.node), connect(tt.host, 80))
			if reply.Code != tt.want {
				t.Errorf("%s: %v (%v), want %v", name, reply.Code, err, tt.want)
			}
		}
		// A port that the service does not have ends the circuit; the next stream gets another one.
		if _, reply, err := ask(deadline(t, taskTimeout), none.SOCKS, connect(plain.host, 81)); reply.Code != socksmsg.ConnRefused {
			t.Errorf("a port that is not there: %v (%v)", reply.Code, err)
		}
		must(t, download(deadline(t, taskTimeout), viaGo, proxyURL(none.SOCKS, ""), "http://"+plain.host+"/body", "after", 1000))
	})
	t.Run("padding", func(t *testing.T) { testPaddingOfTheirs(t, b, client) })
	for _, o := range []*onionHost{plain, closed} {
		log, err := o.proc.Log()
		must(t, err)
		for _, line := range ctor.ProtocolWarnings(log) {
			t.Error("protocol warning: ", line)
		}
	}
	warnings, err := n.ProtocolWarnings()
	must(t, err)
	for _, line := range warnings {
		if !documents.MatchString(line) && !strings.Contains(line, "Problem bootstrapping") { // before the first vote
			t.Error("protocol warning: ", line)
		}
	}
}

// startClosed starts a service that only a client with the given key can use.
func startClosed(t *testing.T, b *bed, name string, key [32]byte) *onionHost {
	t.Helper()
	dir := t.TempDir()
	clients := filepath.Join(dir, "service", "authorized_clients")
	must(t, os.MkdirAll(clients, 0o700))
	line, err := keyfile.AppendAuthorizedClient(nil, key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(clients, "client.auth"), line, 0o600))
	return startOnionIn(t, b, name, dir)
}

// authDir makes a directory with the key of a client.
func authDir(t *testing.T, host string, secret [32]byte) string {
	t.Helper()
	dir := t.TempDir()
	service, err := onionaddr.Parse(host)
	must(t, err)
	a, err := keyfile.NewClientAuth(service, secret)
	must(t, err)
	text, err := a.AppendTo(nil)
	must(t, err)
	must(t, os.Chmod(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "service.auth_private"), text, 0o600))
	return dir
}
