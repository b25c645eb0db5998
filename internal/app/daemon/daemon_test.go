package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/front/socks"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// closed is a network whose only authority is a closed port of this machine: no test may reach the public one.
const closed = "DirAuthority nobody orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 0000000000000000000000000000000000000001\n"

// load makes a configuration out of a torrc.
func load(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	host := config.Host{FS: fstest.MapFS{}, Stdin: strings.NewReader(closed + "DataDirectory " + dir + "\n" + text), Dir: dir, Defaults: "none", DataDir: dir}
	cfg, err := config.Load(config.CommandLine{Torrc: "-"}, host)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func keepRights() error { return nil }

// started is a daemon at work.
type started struct {
	*Daemon
	cancel context.CancelFunc
	ended  chan error
}

func start(t *testing.T, cfg *config.Config) *started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d, err := New(ctx, cfg, logfmt.New(io.Discard, io.Discard, logfmt.Silent), keepRights)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	s := &started{d, cancel, make(chan error, 1)}
	go func() {
		s.ended <- d.Run(ctx)
		close(s.ended)
	}()
	t.Cleanup(func() { cancel(); <-s.ended; d.Close() })
	select {
	case <-d.Ready():
	case err := <-s.ended:
		t.Fatalf("Run: %v", err)
	}
	return s
}

// A new configuration that cannot hold ends the daemon with an error, whatever it was that failed.
func TestReloadFails(t *testing.T) {
	for name, prepare := range map[string]func(dir string) string{
		"port in use": func(string) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return "SocksPort " + l.Addr().String()
		},
		"keys of a relay that are damaged": func(dir string) string {
			if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "keys", "secret_id_key"), []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
			return "SocksPort 0\nORPort 127.0.0.1:auto\nAddress 127.0.0.1\nExitRelay 0"
		},
		"log that cannot be opened": func(dir string) string { return "SocksPort 0\nLog notice file " + filepath.Join(dir, "no", "log") },
		"other data directory":      func(dir string) string { return "SocksPort 0\nDataDirectory " + filepath.Join(dir, "other") },
		"other PID file":            func(dir string) string { return "SocksPort 0\nPidFile " + filepath.Join(dir, "pid") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			d := start(t, load(t, dir, "SocksPort 0"))
			err := d.Reload(t.Context(), load(t, dir, prepare(dir)))
			if err == nil {
				t.Fatal("no error")
			}
			if end := <-d.ended; end == nil || end.Error() != err.Error() {
				t.Errorf("Reload: %v; Run: %v", err, end)
			}
			if err := d.Reload(t.Context(), load(t, dir, "SocksPort 0")); err != errEnded {
				t.Errorf("Reload after the end: %v", err)
			}
		})
	}
}

func TestReload(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d := start(t, load(t, dir, "SocksPort 0"))
	for _, text := range []string{"SocksPort 0", "SocksPort auto", "SocksPort auto\nMaxCircuitDirtiness 5 minutes", "DisableNetwork 1", "DisableNetwork 1\nSocksPort auto", "SocksPort 0"} {
		if err := d.Reload(t.Context(), load(t, dir, text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		_, _, err := d.ports.connector.get(t.Context())
		if off := strings.Contains(text, "DisableNetwork"); (err != nil) != off {
			t.Errorf("%q: the ports' client: %v", text, err)
		}
	}
	d.cancel()
	if err := <-d.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// A bridge authority must not vote: it would publish the bridges.
func TestVotesOnBridges(t *testing.T) {
	const authority = "Address 127.0.0.1\nORPort 127.0.0.1:auto\nDirPort 127.0.0.1:auto\nContactInfo c\nExitRelay 0\nAuthoritativeDirectory 1\nBridgeAuthoritativeDir 1\nV3AuthoritativeDirectory 1\n"
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := New(t.Context(), load(t, dir, authority), logfmt.New(io.Discard, io.Discard, logfmt.Silent), keepRights); !errors.Is(err, errBridges) {
		t.Errorf("got %v", err)
	}
	d := start(t, load(t, dir, "SocksPort 0\nBridgeAuthoritativeDir 1"))
	if err := d.Reload(t.Context(), load(t, dir, authority)); !errors.Is(err, errBridges) {
		t.Errorf("Reload: got %v", err)
	}
}

// Options of doors and log alone do not cost the streams that are open.
func TestSameClient(t *testing.T) {
	dir := t.TempDir()
	base := load(t, dir, "").Client
	for text, want := range map[string]bool{
		"":                        true,
		"SocksPort 9999":          true,
		"Log info stdout":         true,
		"SafeLogging 0":           true,
		"MaxCircuitDirtiness 60":  false,
		"ExitNodes 192.0.2.1":     false,
		"DisableNetwork 1":        false,
		"ConnectionPadding 0":     false,
		"RejectPlaintextPorts 23": false,
		"NumEntryGuards 5":        true, // what this version does not use
	} {
		if got := sameClient(base, load(t, dir, text).Client); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestReplyCode(t *testing.T) {
	end := func(r relaymsg.EndReason) error {
		return &attach.StreamError{Tries: 1, Err: &stream.EndError{Reason: r}}
	}
	for _, tt := range []struct {
		err  error
		want socksmsg.ReplyCode
	}{
		{attach.ErrOnion, socksmsg.HostUnreachable},
		{fmt.Errorf("%w: x", attach.ErrBadOnion), socksmsg.OnionBadAddress},
		{&hsclient.Error{Reason: hsclient.BadAuth}, socksmsg.OnionWrongAuth},
		{&hsclient.Error{Reason: hsclient.IntroTimedOut}, socksmsg.OnionIntroTimedOut},
		{attach.ErrNoOnions, socksmsg.NotAllowed},
		{fmt.Errorf("%w: 23", errPlaintext), socksmsg.NotAllowed},
		{errNoDNS, socksmsg.NotAllowed},
		{attach.ErrNoFamily, socksmsg.NotAllowed},
		{attach.ErrExitName, socksmsg.NotAllowed},
		{attach.ErrNoExit, socksmsg.NotAllowed},
		{end(relaymsg.EndExitPolicy), socksmsg.NotAllowed},
		{end(relaymsg.EndConnectRefused), socksmsg.ConnRefused},
		{end(relaymsg.EndResolveFailed), socksmsg.HostUnreachable},
		{end(relaymsg.EndTimeout), socksmsg.TTLExpired},
		{&circmgr.BuildError{Err: errors.New("x"), Cause: context.DeadlineExceeded}, socksmsg.TTLExpired},
		{errors.New("strange"), socksmsg.GeneralFailure},
	} {
		if got := replyCode(tt.err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
}

// The door's rules are applied before anything leaves.
func TestConnector(t *testing.T) {
	c := newConnector(slog.New(slog.DiscardHandler))
	c.set(nil, config.Streams{})
	ctx := t.Context()
	if _, err := c.Dial(ctx, socks.Request{Host: "example.com", Port: 80}); !errors.Is(err, errNoClient) {
		t.Errorf("without a client: %v", err)
	}
	if _, _, err := c.Resolve(ctx, socks.Request{Host: "example.com"}); !errors.Is(err, errNoClient) {
		t.Errorf("without a client: %v", err)
	}
	if _, err := c.ResolvePTR(ctx, socks.Request{Host: "192.0.2.1"}); !errors.Is(err, errNoClient) {
		t.Errorf("without a client: %v", err)
	}
	noDNS := socks.Traffic{NoDNS: true}
	if _, err := request(socks.Request{Host: "example.com", Traffic: noDNS}); err != errNoDNS {
		t.Errorf("a name at a port without names: %v", err)
	}
	r, err := request(socks.Request{Host: "192.0.2.1", Port: 80, Traffic: socks.Traffic{NoDNS: true, NoIPv6: true, NoPreferIPv6: true}})
	if err != nil || r.Host != "192.0.2.1" || r.Port != 80 || !r.NoIPv6 || r.NoIPv4 || r.PreferIPv6 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestPlaintextPorts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d := start(t, load(t, dir, "SocksPort 0\nRejectPlaintextPorts 23,109"))
	if _, err := d.ports.connector.Dial(t.Context(), socks.Request{Host: "example.com", Port: 23}); !errors.Is(err, errPlaintext) {
		t.Errorf("port 23: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := d.ports.connector.Dial(ctx, socks.Request{Host: "example.com", Port: 80}); errors.Is(err, errPlaintext) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("port 80: %v", err)
	}
}

func TestSocketMode(t *testing.T) {
	for want, spec := range map[os.FileMode]config.SocksPort{0o600: {}, 0o660: {GroupWritable: true}, 0o666: {WorldWritable: true}} {
		if got := socketMode(spec); got != want {
			t.Errorf("%+v: %o, want %o", spec, got, want)
		}
	}
}

// The second of two daemons that start at once takes over when the first has ended.
func TestLockIsHandedOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := New(t.Context(), load(t, dir, "DisableNetwork 1"), logfmt.New(io.Discard, io.Discard, logfmt.Silent), keepRights)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, first.Close)
	second, err := New(t.Context(), load(t, dir, "DisableNetwork 1"), logfmt.New(io.Discard, io.Discard, logfmt.Silent), keepRights)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

// A state file that cannot be read is no reason to lose what is in it.
func TestDamagedState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d, err := New(t.Context(), load(t, dir, "SocksPort 0"), logfmt.New(io.Discard, io.Discard, logfmt.Silent), keepRights)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.WriteFile(filepath.Join(dir, "state"), []byte("Guard in=default\n\"unclosed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "state file") {
		t.Errorf("error %v", err)
	}
}

// A relay that is interrupted ends a while later, and takes nothing new until then; anything else ends at once.
func TestInterrupt(t *testing.T) {
	client := start(t, load(t, filepath.Join(t.TempDir(), "data"), "SocksPort 0"))
	if wait := client.Interrupt(); wait != 0 {
		t.Errorf("a client is to wait for %v", wait)
	}
	dir := filepath.Join(t.TempDir(), "data")
	relay := start(t, load(t, dir, "SocksPort 0\nORPort 127.0.0.1:auto\nAddress 127.0.0.1\nExitRelay 0\nShutdownWaitLength 1"))
	addr := relay.doors[0].listener.Addr().String()
	if c, err := net.Dial("tcp", addr); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if wait := relay.Interrupt(); wait != time.Second {
		t.Errorf("a relay is to wait for %v", wait)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("the ORPort is still open")
	}
	if wait := relay.Interrupt(); wait != 0 {
		t.Errorf("after the second time, to wait for %v", wait)
	}
	if err := <-relay.ended; err != nil {
		t.Error(err)
	}
}

// What an operator changes most goes to the relay as it runs; its links live on.
func TestReloadRelay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	const base = "SocksPort 0\nORPort 127.0.0.1:auto\nAddress 127.0.0.1\nPublishServerDescriptor 0\n"
	d := start(t, load(t, dir, base+"ExitRelay 0"))
	relay := d.relay.Load()
	addr := d.doors[0].listener.Addr().String()
	for _, text := range []string{"ExitRelay 1\nExitPolicy accept *:80\nContactInfo me", "ExitRelay 0\nRelayBandwidthRate 1 MB\nDoSStreamCreationEnabled 1"} {
		if err := d.Reload(t.Context(), load(t, dir, base+text)); err != nil {
			t.Fatal(err)
		}
		if d.relay.Load() != relay || d.doors[0].listener.Addr().String() != addr {
			t.Errorf("%q makes another relay", text)
		}
	}
	if err := d.Reload(t.Context(), load(t, dir, base+"ExitRelay 0\nDirCache 0")); err != nil {
		t.Fatal(err)
	}
	if d.relay.Load() == relay || d.doors[0].listener.Addr().String() != addr {
		t.Error("DirCache 0 needs another relay at the same port")
	}
	if err := d.Reload(t.Context(), load(t, dir, "SocksPort 0")); err != nil {
		t.Fatal(err)
	}
	if d.relay.Load() != nil || len(d.doors) > 0 {
		t.Error("a relay without an ORPort")
	}
}

// A relay without a network has its keys and files all the same, as operators who prepare one expect.
func TestDisableNetworkRelay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	const torrc = "SocksPort 0\nORPort 127.0.0.1:auto\nAddress 127.0.0.1\nPublishServerDescriptor 0\nExitRelay 0\nDisableNetwork "
	d := start(t, load(t, dir, torrc+"1"))
	fingerprint := func() string {
		b, err := os.ReadFile(filepath.Join(dir, "fingerprint"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := fingerprint()
	if len(d.doors) != 0 {
		t.Errorf("%d ports are open", len(d.doors))
	}
	if err := d.Reload(t.Context(), load(t, dir, torrc+"0")); err != nil {
		t.Fatal(err)
	}
	if len(d.doors) != 1 || d.relay.Load() == nil {
		t.Error("the relay does not begin with the network")
	}
	if after := fingerprint(); after != before {
		t.Errorf("identity %q, before %q", after, before)
	}
}
