package interop_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// TestAlone brings up a network in which all nodes are ours, and fetches a page through three of them. It needs no C tor.
func TestAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("a network takes 10 seconds")
	}
	bin, begin := build(t), time.Now()
	n, err := testnet.Start(deadline(t, startTimeout), testnet.Config{
		Bins:     map[string]string{testnet.All: bin},
		Dir:      os.Getenv("TROPEA_INTEROP_DIR"),
		Progress: func(stage string, took time.Duration) { t.Log(stage, took.Round(10*time.Millisecond)) },
	})
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	t.Logf("the network is up after %v", time.Since(begin).Round(time.Millisecond))
	b := &bed{net: n, web: newWeb(t), client: n.Node("client1")}
	showLog(t, b.client)
	name := b.name("alone")
	b.works(t, b.client.SOCKS, name, "alone")
	path(t, b.client, b.web.target(name))
	for _, node := range n.Nodes() {
		if u, err := node.Usage(); err == nil {
			t.Logf("%s: %.1f MiB, %v of CPU", node.Name, float64(u.RSS)/(1<<20), u.CPU)
		}
	}
	warnings, err := n.ProtocolWarnings()
	must(t, err)
	for _, line := range warnings {
		t.Error(line)
	}
}

// TestDetach leaves a network in the background, looks at it, uses it, with its onion service, and ends it.
func TestDetach(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no --detach")
	}
	if testing.Short() {
		t.Skip("a network takes 10 seconds")
	}
	bin, dir := build(t), filepath.Join(t.TempDir(), "net")
	tropea := func(args ...string) string {
		t.Helper()
		var stderr bytes.Buffer
		cmd := exec.CommandContext(deadline(t, startTimeout), bin, append([]string{"testnet"}, args...)...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("testnet %s: %v\n%s%s", args, err, out, &stderr)
		}
		return string(out)
	}
	file := filepath.Join(t.TempDir(), "ready")
	tropea("--detach", "--keep", dir, "--authorities", "1", "--relays", "4", "--exits", "1", "--onions", "1", "--ready-file", file, "--size", "1000")
	t.Cleanup(func() { exec.Command(bin, "testnet", "down", dir).Run() }) // in case of a failure
	if out := tropea("status", dir); !strings.Contains(out, "ready") || strings.Count(out, "running") != 8 || !strings.Contains(out, "6 relays") {
		t.Errorf("status:\n%s", out)
	}
	text, err := os.ReadFile(file)
	must(t, err)
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		values[key] = value
	}
	for _, url := range []string{values["url"], "http://" + strings.TrimPrefix(values["onion"], "onion1 ") + "/"} {
		var page bytes.Buffer
		if err := viaGo(deadline(t, taskTimeout), proxyURL(values["socks"], ""), url, nil, &page); err != nil || page.Len() != 1000 {
			t.Errorf("%s: %d bytes, %v", url, page.Len(), err)
		}
	}
	tropea("down", dir)
	if err := exec.Command(bin, "testnet", "status", dir).Run(); err == nil {
		t.Error("the network is there still")
	}
	if _, err := os.Stat(filepath.Join(dir, "nodes", "relay1", "log")); err != nil {
		t.Errorf("the directory was to be kept: %v", err)
	}
}

// maxOneProcess is what a network of 20 relays may hold, in MiB.
const maxOneProcess = 300

// TestOneProcess brings up a network of 20 relays in one process, with the program as it is released: the race detector would
// count in what it holds.
func TestOneProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("a network takes 10 seconds")
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(deadline(t, startTimeout), build(t), "testnet", "--one-process", "--relays", "15", "--fetch")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	t.Logf("\n%s", out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	if hops := regexp.MustCompile(`(?m)^path +(\S+ ){2}exit\d+$`); !hops.Match(out) {
		t.Error("the page did not come through three hops")
	}
	m := regexp.MustCompile(`(?m)^memory +([0-9.]+) MiB`).FindSubmatch(out)
	switch {
	case m != nil:
		if held, err := strconv.ParseFloat(string(m[1]), 64); err != nil || held > maxOneProcess {
			t.Errorf("holds %s MiB (%v), more than %d", m[1], err, maxOneProcess)
		}
	case runtime.GOOS == "linux":
		t.Error("does not tell what it holds")
	}
}
