package interop_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

var onionReachable = regexp.MustCompile(`Onion service is reachable`)

// TestOnionHost has clients of C tor use onion services of ours, in a network of C tor.
//
// https://spec.torproject.org/rend-spec/index.html
func TestOnionHost(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	bin := build(t)
	begin := time.Now()
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Authorities: 3, Relays: 4, Exits: 1, Clients: 1, Bins: map[string]string{testnet.All: "tor"}, Dir: os.Getenv("TROPEA_INTEROP_DIR"),
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	t.Logf("the network is up after %v", time.Since(begin).Round(time.Millisecond))
	b := &bed{net: n, web: newWeb(t)}
	client := n.Node("client1")

	// A web server at a socket, besides the one that all tests have.
	dir := t.TempDir()
	socket := filepath.Join(dir, "web")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /body", serveBody)
	serveAt(t, mux, func() (net.Listener, error) { return net.Listen("unix", socket) })

	authorized, err := x25519.Generate(rand.Reader)
	must(t, err)
	other, err := x25519.Generate(rand.Reader)
	must(t, err)
	keys := func(name string) string { return filepath.Join(dir, "service", name) }
	writeClient(t, keys("private"), authorized.Public())

	web := b.web.target(loopback)
	open := []string{
		"HiddenServiceDir " + keys("open"), "HiddenServicePort 80 " + web, "HiddenServicePort 8080 " + web,
		"HiddenServicePort 81 unix:" + socket, "HiddenServicePoWDefensesEnabled 1", "HiddenServiceEnableIntroDoSDefense 1",
	}
	private := []string{"HiddenServiceDir " + keys("private"), "HiddenServicePort 80 " + web}
	single := []string{
		"HiddenServiceNonAnonymousMode 1", "HiddenServiceSingleHopMode 1",
		"HiddenServiceDir " + keys("single"), "HiddenServicePort 80 " + web,
	}
	host := startOwnOnion(t, b, bin, filepath.Join(dir, "host"), append(open, private...), 2)
	startOwnOnion(t, b, bin, filepath.Join(dir, "single-host"), single, 1)

	get := func(name, port, seed string, size int64) error {
		base := "http://" + net.JoinHostPort(hostname(t, keys(name)), port) + "/body"
		return download(deadline(t, bulkTimeout), viaGo, proxyURL(client.SOCKS, ""), base, seed, size)
	}
	t.Run("bodies", func(t *testing.T) {
		for _, port := range []string{"80", "8080", "81"} {
			must(t, get("open", port, "port "+port, 5<<20))
		}
		must(t, upload(deadline(t, bulkTimeout), viaGo, proxyURL(client.SOCKS, ""), "http://"+hostname(t, keys("open"))+"/sum", "up", 2<<20))
		must(t, get("single", "80", "single", 1<<20))
	})
	t.Run("client authorization", func(t *testing.T) {
		c, err := client.Control(deadline(t, taskTimeout))
		must(t, err)
		defer c.Close()
		if err := get("private", "80", "none", 1000); err == nil {
			t.Error("a client without a key was let in")
		}
		name := strings.TrimSuffix(hostname(t, keys("private")), ".onion")
		for _, key := range []*x25519.KeyPair{other, authorized} {
			secret := key.Secret()
			_, err := c.Do("ONION_CLIENT_AUTH_ADD " + name + " x25519:" + base64.StdEncoding.EncodeToString(secret[:]))
			must(t, err)
			must(t, c.Signal("NEWNYM")) // C tor asks again for descriptors that it could not read
			if err := get("private", "80", "key", 100_000); (err == nil) != (key == authorized) {
				t.Errorf("with the authorized key: %v; %v", key == authorized, err)
			}
		}
	})
	t.Run("library", func(t *testing.T) { testListen(t, b, client.SOCKS) })
	t.Run("tropea onion", func(t *testing.T) { testOnionVerb(t, b, bin, client.SOCKS) })
	t.Run("reload and restart", func(t *testing.T) {
		was := hostname(t, keys("open"))
		added := []string{"HiddenServiceDir " + keys("added"), "HiddenServicePort 80 " + web}
		host.reload(t, append(open, added...), 3)
		must(t, get("added", "80", "added", 100_000))
		if err := get("private", "80", "removed", 1000); err == nil {
			t.Error("a service that was removed is still there")
		}
		host.restart(t, bin, 2)
		if now := hostname(t, keys("open")); now != was {
			t.Errorf("the address has changed from %s to %s", was, now)
		}
		must(t, client.Restart(deadline(t, joinTimeout))) // it does not know the new introduction points
		must(t, client.WaitReady(deadline(t, joinTimeout)))
		must(t, get("open", "80", "again", 100_000))
	})
	warnings, err := n.ProtocolWarnings()
	must(t, err)
	for _, line := range warnings {
		switch {
		case documents.MatchString(line), strings.Contains(line, "Problem bootstrapping"): // before the first vote
		case strings.Contains(line, "Client authorization for requested onion address is invalid"): // so it was
		// A descriptor that is decrypted after it came takes more room than C tor has counted (hs_cache_client_new_auth_parse).
		case strings.Contains(line, "Underflow in hs_cache_decrement_allocation"):
		default:
			t.Error("protocol warning: ", line)
		}
	}
}

// testListen serves HTTP at an onion service of the library.
func testListen(t *testing.T, b *bed, socks string) {
	var log logBuffer
	c, err := tropea.New(tropea.Config{
		Authorities: b.net.Authorities(), AllowInternal: true, MinPaths: 0.67, TestNetwork: true,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the library:\n%s", log.String())
		}
	})
	defer c.Close()
	if _, err := c.Listen(t.Context(), tropea.OnionConfig{}); err == nil {
		t.Error("Listen before Start")
	}
	must(t, c.Start(deadline(t, joinTimeout)))
	_, err = c.Listen(t.Context(), tropea.OnionConfig{Key: []byte("short")})
	wantKind(t, "Listen with a short key", err, tropea.BadConfig)
	begin := time.Now()
	l, err := c.Listen(deadline(t, joinTimeout), tropea.OnionConfig{IntroPoints: 4, Clients: nil})
	must(t, err)
	t.Logf("Listen took %v", time.Since(begin).Round(time.Millisecond))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /body", serveBody)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	base := "http://" + l.Addr().String() + "/body"
	must(t, download(deadline(t, bulkTimeout), viaGo, proxyURL(socks, "listen"), base, "listen", 5<<20))
	if ok, text := l.Status(); !ok {
		t.Errorf("not reachable: %s", text)
	}
	must(t, server.Close())
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	again, err := c.Listen(deadline(t, joinTimeout), tropea.OnionConfig{Key: l.Key()})
	must(t, err)
	defer again.Close()
	if again.Addr() != l.Addr() {
		t.Errorf("the address was %v and is %v", l.Addr(), again.Addr())
	}
}

// serveAt runs a web server until the end of the test.
func serveAt(t *testing.T, h http.Handler, listen func() (net.Listener, error)) {
	t.Helper()
	l, err := listen()
	must(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
}

// writeClient authorizes a client at a service, which begins with that.
func writeClient(t *testing.T, dir string, pub [32]byte) {
	t.Helper()
	text, err := keyfile.AppendAuthorizedClient(nil, pub)
	must(t, err)
	path := filepath.Join(dir, "authorized_clients")
	must(t, os.MkdirAll(path, 0o700))
	must(t, os.WriteFile(filepath.Join(path, "alice.auth"), text, 0o600))
}

func hostname(t *testing.T, dir string) string {
	t.Helper()
	name, err := os.ReadFile(filepath.Join(dir, "hostname"))
	must(t, err)
	return strings.TrimSpace(string(name))
}

// ownOnion is a program of ours with onion services.
type ownOnion struct {
	dir    string
	common ctor.Torrc
	torrc  ctor.Torrc
	proc   *ctor.Process
}

// startOwnOnion starts it, and waits until so many services are reachable.
func startOwnOnion(t *testing.T, b *bed, bin, dir string, services []string, count int) *ownOnion {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(filepath.Dir(dir), "service"), 0o700))
	o := &ownOnion{dir: dir, common: ctor.Torrc(b.net.ClientTorrc())}
	o.common.Add("SocksPort", "0")
	o.common.Add("Log", "info", "stdout")
	o.torrc = append(o.common, services...)
	o.start(t, bin, count)
	t.Cleanup(func() { must(t, o.proc.Stop()) })
	return o
}

func (o *ownOnion) start(t *testing.T, bin string, count int) {
	t.Helper()
	var err error
	o.proc, err = ctor.Start(ctor.Config{Name: filepath.Base(o.dir), Bin: bin, Dir: o.dir, Torrc: o.torrc})
	must(t, err)
	o.wait(t, count)
}

// wait waits until so many services have become reachable since the start.
func (o *ownOnion) wait(t *testing.T, count int) {
	t.Helper()
	ctx := deadline(t, startTimeout)
	for {
		log, err := o.proc.Log()
		must(t, err)
		if len(onionReachable.FindAllString(log, -1)) >= count {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d services are not reachable:\n%s", count, log)
		case <-o.proc.Done():
			t.Fatalf("the host has ended:\n%s", log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// reload gives it other services. count is how many have become reachable then since the start.
func (o *ownOnion) reload(t *testing.T, services []string, count int) {
	t.Helper()
	o.torrc = append(o.common[:len(o.common):len(o.common)], services...)
	var text bytes.Buffer
	text.WriteString("DataDirectory " + ctor.DataDir(o.dir) + "\n" + o.torrc.String())
	must(t, os.WriteFile(filepath.Join(o.dir, "torrc"), text.Bytes(), 0o600))
	proc, err := os.FindProcess(o.proc.PID())
	must(t, err)
	must(t, proc.Signal(syscall.SIGHUP))
	o.wait(t, count)
}

func (o *ownOnion) restart(t *testing.T, bin string, count int) {
	t.Helper()
	must(t, o.proc.Stop())
	o.start(t, bin, count)
}
