package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// What the programs say when clients can reach a service: ours once for each, C tor of each directory.
var published = map[string]*regexp.Regexp{
	ours:   regexp.MustCompile(`Onion service is reachable`),
	theirs: regexp.MustCompile(`Uploading hidden service descriptor: finished with status 200`),
}

// An onionHost is a program with onion services.
type onionHost struct {
	program, name, bin, dir string

	common, torrc ctor.Torrc
	dirs          int // that take the descriptor of a time period
	proc          *ctor.Process
	begin         int // length of the log when the program started
}

// newHost prepares a host.
func (b *onionBed) newHost(t *testing.T, program, name string, services ...string) *onionHost {
	t.Helper()
	h := &onionHost{
		program: program, name: name, bin: b.program(t, program), dir: filepath.Join(b.files, name),
		common: ctor.Torrc(b.net.ClientTorrc()), dirs: b.dirs,
	}
	h.common.Add("SocksPort", "0")
	h.common.Add("Log", "info", "stdout")
	h.common = append(h.common, patient(program)...)
	h.torrc = append(h.common[:len(h.common):len(h.common)], services...)
	must(t, os.MkdirAll(filepath.Join(h.dir, "service"), 0o700))
	t.Cleanup(func() {
		if h.proc == nil {
			return
		}
		must(t, h.proc.Stop())
		if log, err := h.proc.Log(); t.Failed() && err == nil {
			lines := strings.SplitAfter(log, "\n")
			t.Logf("the log of %s ends with:\n%s", h.name, strings.Join(lines[max(0, len(lines)-quoted):], ""))
		}
	})
	return h
}

// patient is what C tor needs on loopback. It learns there that circuits take some 60 ms, and on a busy machine gives up all that
// take longer: a host then leaves clients waiting.
func patient(program string) []string {
	if program == theirs {
		return []string{"LearnCircuitBuildTimeout 0", "CircuitBuildTimeout 3 seconds"}
	}
	return nil
}

// keys is the directory of a service.
func (h *onionHost) keys(name string) string { return filepath.Join(h.dir, "service", name) }

// address is the host name of a service.
func (h *onionHost) address(t *testing.T, name string) string { return hostname(t, h.keys(name)) }

// start starts the program.
func (h *onionHost) start() (err error) {
	h.begin = 0
	if old, err := os.ReadFile(ctor.LogPath(h.dir)); err == nil {
		h.begin = len(old)
	}
	h.proc, err = ctor.Start(ctor.Config{Name: h.name, Bin: h.bin, Dir: h.dir, Torrc: h.torrc})
	return err
}

// run is the log since the program started.
func (h *onionHost) run() (string, error) {
	log, err := h.proc.Log()
	if err != nil {
		return "", err
	}
	return log[h.begin:], nil
}

// wait waits until clients can reach so many services.
func (h *onionHost) wait(ctx context.Context, services int) error {
	count := services
	if h.program == theirs {
		count *= 2 * h.dirs // of two time periods
	}
	for {
		log, err := h.run()
		if err != nil {
			return err
		}
		have := len(published[h.program].FindAllString(log, -1))
		if have >= count {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d announcements: %w", h.name, have, count, context.Cause(ctx))
		case <-h.proc.Done():
			return fmt.Errorf("%s has ended", h.name)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reload gives it other services.
func (h *onionHost) reload(services []string) error {
	h.torrc = append(h.common[:len(h.common):len(h.common)], services...)
	var text bytes.Buffer
	text.WriteString("DataDirectory " + ctor.DataDir(h.dir) + "\n" + h.torrc.String())
	if err := os.WriteFile(filepath.Join(h.dir, "torrc"), text.Bytes(), 0o600); err != nil {
		return err
	}
	proc, err := os.FindProcess(h.proc.PID())
	if err != nil {
		return err
	}
	return proc.Signal(syscall.SIGHUP)
}

// serveSocket runs a web server at a unix socket.
func (b *onionBed) serveSocket(t *testing.T) {
	t.Helper()
	b.socket = filepath.Join(t.TempDir(), "web") // a path of few characters: sockets take 100
	mux := http.NewServeMux()
	mux.HandleFunc("GET /body", serveBody)
	serveAt(t, mux, func() (net.Listener, error) { return net.Listen("unix", b.socket) })
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

// authDir makes a directory with the keys by which services, told by their addresses, know a client.
func authDir(t *testing.T, keys map[string]*x25519.KeyPair) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	for host, key := range keys {
		service, err := onionaddr.Parse(host)
		must(t, err)
		a, err := keyfile.NewClientAuth(service, key.Secret())
		must(t, err)
		text, err := a.AppendTo(nil)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, service.Label()+".auth_private"), text, 0o600))
	}
	return dir
}

func hostname(t *testing.T, dir string) string {
	t.Helper()
	name, err := os.ReadFile(filepath.Join(dir, "hostname"))
	must(t, err)
	return strings.TrimSpace(string(name))
}
