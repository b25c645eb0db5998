package testnet

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// TestMain makes the test binary the program, if the environment has its arguments, a line an argument.
func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv("TESTNET_TEST_ARGS"); ok {
		os.Exit(Main(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// small has as few nodes as a path of three hops needs.
func small() []string {
	return []string{"--authorities", "1", "--relays", "2", "--exits", "1", "--bin", "all=tor"}
}

func TestMainFetch(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes 20 seconds")
	}
	t.Parallel()
	ready := filepath.Join(t.TempDir(), "ready")
	var stdout, stderr bytes.Buffer
	args := append(small(), "--fetch", "--size", "100000", "--ready-file", ready)
	if code := Main(t.Context(), args, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d, output:\n%s%s", code, &stdout, &stderr)
	}
	t.Logf("\n%s", &stdout)
	for _, want := range []string{"keys ", "consensus ", "clients ", "\nready ", " curl --socks5-hostname 127.0.0.1:", "\nfetch ", "\npath ", "\nsha256       matches: "} {
		if !strings.Contains("\n"+stdout.String(), want) {
			t.Errorf("output lacks %q", want)
		}
	}
	text, err := os.ReadFile(ready)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		values[key] = value
	}
	if values["socks"] == "" || values["url"] == "" || values["pid"] == "" {
		t.Errorf("ready file is %q", text)
	}
	if _, err := os.Stat(values["dir"]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory %q is still there: %v", values["dir"], err)
	}
}

func TestMainErrors(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "photo.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		args   string
		code   int
		stderr string
		peers  bool
	}{
		{"help", "--help", exitOK, "usage: tropea testnet", false},
		{"unknown flag", "--relais 3", exitUsage, "relais", false},
		{"argument", "up", exitUsage, "takes flags only", false},
		{"program without a node", "--bin tor", exitUsage, "WHAT=PATH", false},
		{"torrc without a node", "--torrc SafeLogging", exitUsage, "WHAT=LINE", false},
		{"no program", "", exitFailure, "a test is none", false},
		{"detach and fetch", "--detach --fetch", exitUsage, "--detach does not", false},
		{"programs in one process", "--one-process --bin relay=tor", exitUsage, "neither programs nor torrcs", false},
		{"onions in one process", "--one-process --onions 1", exitUsage, "processes of their own", false},
		{"negative size", "--size -1", exitUsage, "--size -1", false},
		{"fetch without a client", "--clients 0 --fetch", exitUsage, "--fetch needs a client", false},
		{"no authority", "--authorities 0", exitFailure, "needs an authority", false},
		{"too many", "--relays 100000", exitFailure, "100000 nodes", false},
		{"unknown node", "--bin bridge=tor", exitFailure, `"bridge" is no node`, false},
		{"unknown node in torrc", "--torrc bridge=X", exitFailure, `"bridge" is no node`, false},
		{"short voting interval", "--voting 5s", exitFailure, "voting interval 5s", false},
		{"voting interval off the grid", "--voting 11s", exitFailure, "voting interval 11s", false},
		{"missing tor", "--bin authority=no-such-tor", exitFailure, "Debian package tor", false},
		{"missing program", "--bin all=true --bin relay1=/no/such/tor", exitFailure, "relay1: program not found", false},
		{"foreign directory", "--bin all=tor --keep " + full, exitFailure, "neither empty", true},
		{"bad torrc", "--bin all=tor --relays 0 --exits 0 --authorities 1 --torrc authority=NoSuchOption", exitFailure, "NoSuchOption", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.peers {
				ctor.Require(t, "tor")
			}
			var stdout, stderr bytes.Buffer
			code := Main(t.Context(), strings.Fields(tt.args), &stdout, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", code, tt.code, &stderr, tt.stderr)
			}
		})
	}
}
