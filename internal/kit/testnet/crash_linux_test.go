package testnet

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// eventually waits for a condition of another process, which tells nobody.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not happen: ", what)
		}
	}
}

// running says whether a process is there and no zombie.
func running(pid string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return err == nil && !bytes.HasPrefix(state, []byte("Z"))
}

// startCommand runs the sub-command in another process until its authority runs. It returns the authority's process id.
func startCommand(t *testing.T, tmp string) (cmd *exec.Cmd, pid string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(t.TempDir(), "pid")
	args := append(small(), "--torrc", "authority=PidFile "+pidFile)
	cmd = exec.Command(exe)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "TESTNET_TEST_ARGS="+strings.Join(args, "\n"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the authority starts", func() bool {
		b, err := os.ReadFile(pidFile)
		pid = strings.TrimSpace(string(b))
		return err == nil && pid != ""
	})
	return cmd, pid
}

func runDirs(t *testing.T, tmp string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(tmp, tempPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestCrash(t *testing.T) {
	ctor.Require(t, "tor")
	t.Parallel()
	tmp := t.TempDir()
	cmd, pid := startCommand(t, tmp)
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "the authority dies with its parent", func() bool { return !running(pid) })
	left := runDirs(t, tmp)
	if len(left) != 1 {
		t.Fatalf("directories %q, want that of the crashed run", left)
	}
	d, err := tempRunDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if got := runDirs(t, tmp); len(got) != 1 || got[0] != d.path {
		t.Errorf("directories %q, want %q alone", got, d.path)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}

func TestInterrupt(t *testing.T) {
	ctor.Require(t, "tor")
	t.Parallel()
	tmp := t.TempDir()
	cmd, pid := startCommand(t, tmp)
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailure {
		t.Errorf("ended with %v, want exit code %d for a start that was broken off", err, exitFailure)
	}
	if running(pid) {
		t.Error("the authority runs on")
	}
	if got := runDirs(t, tmp); len(got) != 0 {
		t.Errorf("directories %q are left", got)
	}
}
