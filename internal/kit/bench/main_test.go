package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

func TestMainErrors(t *testing.T) {
	for _, tt := range []struct {
		name, args     string
		code           int
		stdout, stderr string
	}{
		{"nothing", "", exitUsage, "", "usage: tropea bench"},
		{"unknown", "guard", exitUsage, "", "usage: tropea bench"},
		{"help", "--help", exitOK, "usage: tropea bench", ""},
		{"help for client", "client --help", exitOK, "", "-circuits"},
		{"help for directory", "directory --help", exitOK, "", "-relays"},
		{"help for relay", "relay --help", exitOK, "", "-mebibytes"},
		{"help for onion", "onion --help", exitOK, "", "-services"},
		{"help for flood", "flood --help", exitOK, "", "-rate"},
		{"one service", "onion --services 1", exitUsage, "", "--services 1: want 2 to 20"},
		{"no flood", "flood --flood 0", exitUsage, "", "--flood 0: want 1 to 100"},
		{"no such onion step", "onion --only sideload", exitUsage, "", "matches none of: fresh clients,"},
		{"no links", "relay --links 0", exitUsage, "", "--links 0: want 1 to 64"},
		{"unknown flag", "client --round 1", exitUsage, "", "-round"},
		{"argument", "client now", exitUsage, "", "takes flags only"},
		{"no rounds", "client --rounds 0", exitUsage, "", "--rounds 0: want 1 to 100"},
		{"no seconds", "client --seconds -1", exitUsage, "", "--seconds -1: want 1 to 600"},
		{"too many circuits", "client --circuits 65", exitUsage, "", "--circuits 65: want 1 to 64"},
		{"bad expression", "client --only (", exitUsage, "", "--only: error parsing regexp"},
		{"no such step", "client --only sideload", exitUsage, "", "matches none of: parallel download,"},
		{"too many relays", "directory --relays 100001", exitUsage, "", "--relays 100001: want 1 to 100000"},
		{"missing peer", "client --peer no-such-tor", exitFailure, "", "bench client: no-such-tor"},
		{"missing program", "directory --peer true --ours /no/such/tropea", exitFailure, "", "bench directory: program not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := Main(t.Context(), strings.Fields(tt.args), &stdout, &stderr)
			if code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, want %d; stdout %q, want %q in it; stderr %q, want %q in it",
					code, tt.code, &stdout, tt.stdout, &stderr, tt.stderr)
			}
		})
	}
}

func TestSelectSteps(t *testing.T) {
	for expr, want := range map[string]int{"": len(clientSteps), "^upload$": 1, "load": 3, "bootstrap|requests": 3} {
		if got, err := selectSteps(clientSteps, expr); err != nil || len(got) != want {
			t.Errorf("%q: %d steps, %v; want %d", expr, len(got), err, want)
		}
	}
}

// build makes the program that is measured, since the test binary is none.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "tropea")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/tropea-net/tropea/cmd/tropea").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// check looks at the results that a measurement has left in a file.
func check(t *testing.T, file string, want ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, m := range r.Quantities {
		got[m.Name] = true
		if m.Peer == nil || m.Ours == nil || m.Ours.Min < 0 {
			t.Errorf("%s: peer %v, ours %v", m.Name, m.Peer, m.Ours)
		}
	}
	for _, name := range want {
		if !got[name] {
			t.Errorf("%q was not measured", name)
		}
	}
}

// TestClient does all steps once, in a network as small as a path of three hops allows.
func TestClient(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes 20 seconds")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results")
	args := []string{"--rounds", "1", "--seconds", "1", "--circuits", "2", "--voting", "10s", "--ours", build(t), "--json", file}
	var stdout, stderr bytes.Buffer
	o, err := parseClient(args, &stderr)
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	o.nodes.Authorities, o.nodes.Relays, o.nodes.Exits = 1, 2, 1
	if err := o.run(t.Context(), &stdout, &stderr); err != nil {
		t.Fatalf("%v, output:\n%s%s", err, &stdout, &stderr)
	}
	t.Logf("\n%s", &stdout)
	check(t, file, "memory before traffic", "download, 2 circuits", "CPU, upload, 1 stream", "first byte, warm circuit, p50",
		"first byte, new isolation, p95", "bootstrap, from cache", "memory after traffic")
}

func TestDirectory(t *testing.T) {
	ctor.Require(t, "tor")
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results")
	args := []string{"directory", "--rounds", "1", "--relays", "300", "--idle", "0", "--ours", build(t), "--json", file}
	var stdout, stderr bytes.Buffer
	if code := Main(t.Context(), args, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d, output:\n%s%s", code, &stdout, &stderr)
	}
	t.Logf("\n%s", &stdout)
	check(t, file, "start until enough is known", "memory at the start", "memory 0 s later")
}

func TestRelay(t *testing.T) {
	ctor.Require(t, "tor")
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results")
	args := []string{"relay", "--rounds", "1", "--links", "2", "--circuits", "2", "--mebibytes", "16", "--ours", build(t), "--json", file}
	var stdout, stderr bytes.Buffer
	if code := Main(t.Context(), args, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d, output:\n%s%s", code, &stdout, &stderr)
	}
	t.Logf("\n%s", &stdout)
	check(t, file, "CPU, cells passing through", "cells", "CPU of a circuit built", "memory after the load")
}
