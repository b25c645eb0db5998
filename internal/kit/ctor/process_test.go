package ctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// startFake starts this test binary as a tor that behaves as mode says.
func startFake(t *testing.T, mode, dir string) *Process {
	t.Helper()
	t.Setenv("CTOR_TEST_PROGRAM", mode)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(Config{Name: "fake", Bin: exe, Dir: dir, Torrc: Torrc{"Nickname fake"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestProcess(t *testing.T) {
	dir := t.TempDir()
	p := startFake(t, "well", dir)
	if err := p.WaitBootstrap(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	torrc, err := os.ReadFile(filepath.Join(dir, "torrc"))
	if want := "DataDirectory " + DataDir(dir) + "\nNickname fake\n"; err != nil || string(torrc) != want {
		t.Errorf("torrc is %q, %v; want %q", torrc, err, want)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if p.Err() != nil {
		t.Errorf("ended with %v, want exit code 0", p.Err())
	}
	log, err := p.Log()
	if err != nil || !strings.HasSuffix(log, "exiting cleanly.\n") {
		t.Errorf("log is %q, %v", log, err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}

	t.Run("second run", func(t *testing.T) {
		second := startFake(t, "fail", dir)
		// The first run got further: its lines must not count.
		if err := second.WaitBootstrap(t.Context(), 100); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "Reading config failed") {
			t.Errorf("got %v, want ErrEnded with the end of the log", err)
		}
	})
}

func TestKill(t *testing.T) {
	p := startFake(t, "stubborn", t.TempDir())
	if err := p.WaitBootstrap(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if p.Err() == nil {
		t.Error("a killed process ended well")
	}
	p.Kill() // does nothing
}

func TestWaitContext(t *testing.T) {
	p := startFake(t, "well", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Wait(ctx, regexp.MustCompile("no such line")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
}

func TestStartMissing(t *testing.T) {
	if _, err := Start(Config{Name: "x", Bin: filepath.Join(t.TempDir(), "tor"), Dir: t.TempDir()}); err == nil {
		t.Error("a missing program was started")
	}
}

func TestTorrc(t *testing.T) {
	var torrc Torrc
	torrc.Add("ORPort", "127.0.0.1:9001", "IPv4Only")
	torrc.Add("ServerDNSTestAddresses")
	torrc.Add("DataDirectory", "/tmp/with space")
	torrc.Add("Log", "notice", `file /tmp/a#"b`)
	const want = `ORPort 127.0.0.1:9001 IPv4Only
ServerDNSTestAddresses
DataDirectory /tmp/with space
Log "notice file /tmp/a#\"b"
`
	if got := torrc.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBootstrapLine(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		percent    int
		want       bool
	}{
		{"enough", "Nov 22 15:00:00.000 [notice] Bootstrapped 80% (ap_conn): Connecting", 75, true},
		{"too little", "Nov 22 15:00:00.000 [notice] Bootstrapped 5% (conn): Connecting", 75, false},
		{"with domains", "Nov 22 15:00:00.000 [notice] {CONTROL} Bootstrapped 100% (done): Done", 100, true},
		{"prefix of a number", "Nov 22 15:00:00.000 [notice] Bootstrapped 10% (conn_done): Connected", 100, false},
		{"another level", "Nov 22 15:00:00.000 [info] Bootstrapped 100%", 100, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := bootstrapLine(tt.percent).MatchString(tt.line); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFindMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Find("no-such-tor")
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt install tor") {
		t.Errorf("got %v, want ErrMissing with the name of the package", err)
	}
	if _, err := Find(filepath.Join(t.TempDir(), "tor")); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, want ErrMissing", err)
	}
}

// requireTB records what Require does to a test.
type requireTB struct{ skipped, failed bool }

func (r *requireTB) Helper()      {}
func (r *requireTB) Skip(...any)  { r.skipped = true }
func (r *requireTB) Fatal(...any) { r.failed = true }

func TestRequire(t *testing.T) {
	for _, tt := range []struct {
		name, env string
		want      requireTB
	}{
		{"peers are optional", "", requireTB{skipped: true}},
		{"peers are required", "1", requireTB{failed: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TROPEA_REQUIRE_PEERS", tt.env)
			var got requireTB
			Require(&got, "no-such-tor")
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
