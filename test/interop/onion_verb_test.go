package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// testOnionVerb shares a file, and a web server with one client, by "tropea onion", and has C tor and "tropea onion check" reach them.
func testOnionVerb(t *testing.T, b *bed, bin, socks string) {
	args := []string{"--test-network"}
	for _, line := range b.net.Authorities() {
		args = append(args, "--authority", line)
	}
	args = slices.Clip(args)
	dir := t.TempDir()
	content := bytes.Repeat([]byte("a file to share\n"), 100_000)
	must(t, os.Mkdir(filepath.Join(dir, "files"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "files", "shared.txt"), content, 0o600))

	var secret string // of the client of serve
	var url, host string
	var wg sync.WaitGroup
	wg.Go(func() {
		lines := startVerb(t, bin, 1, append([]string{"share"}, append(args, filepath.Join(dir, "files"), "--dir", filepath.Join(dir, "key"), "--data", filepath.Join(dir, "share"))...))
		if len(lines) == 1 {
			url = lines[0]
		}
	})
	wg.Go(func() {
		lines := startVerb(t, bin, 2, append([]string{"serve"}, append(args, b.web.target(loopback), "--private", "--data", filepath.Join(dir, "serve"))...))
		if len(lines) == 2 {
			secret, host = lines[0], lines[1]
		}
	})
	wg.Wait()
	if t.Failed() {
		return
	}
	if want := "http://" + hostname(t, filepath.Join(dir, "key")) + "/"; url != want {
		t.Errorf("shared at %q, want %q", url, want)
	}
	var got bytes.Buffer
	must(t, viaGo(deadline(t, bulkTimeout), proxyURL(socks, "share"), url+"shared.txt", nil, &got))
	if !bytes.Equal(got.Bytes(), content) {
		t.Errorf("got %d bytes", got.Len())
	}

	check := func(more ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), bulkTimeout)
		defer cancel()
		all := append([]string{"onion", "check", host, "--reach", "--timeout", "30s", "--data", filepath.Join(dir, "check")}, args...)
		out, err := exec.CommandContext(ctx, bin, append(all, more...)...).CombinedOutput()
		return string(out), err
	}
	file := filepath.Join(dir, "client.auth_private")
	must(t, os.WriteFile(file, []byte(secret), 0o600))
	if out, err := check("--auth", file); err != nil || !strings.Contains(out, "The service is there") {
		t.Errorf("check: %v\n%s", err, out)
	}
	if out, err := check(); err == nil || !strings.Contains(out, "not reachable") {
		t.Errorf("check without the client's secret: %v\n%s", err, out)
	}
}

// startVerb starts "tropea onion", returns the first lines of its standard output, and at the end of the test
// interrupts it.
func startVerb(t *testing.T, bin string, lines int, args []string) (out []string) {
	cmd := exec.Command(bin, append([]string{"onion"}, args...)...)
	var log logBuffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", args, log.String())
		}
	})
	defer time.AfterFunc(startTimeout, func() { cmd.Process.Kill() }).Stop()
	for in := bufio.NewScanner(stdout); len(out) < lines; {
		if !in.Scan() {
			t.Errorf("%s ended early", args)
			break
		}
		out = append(out, in.Text())
	}
	return out
}
