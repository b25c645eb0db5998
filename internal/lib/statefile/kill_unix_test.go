//go:build unix

package statefile_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/statefile"
)

// childEnv makes a test process the child that TestKill kills.
const childEnv = "TROPEA_STATEFILE_CHILD"

// whole returns the contents of generation n: its length varies, its last line is a digest of the rest.
func whole(n int) []byte {
	b := fmt.Appendf(nil, "%d\n%s\n", n, strings.Repeat("x", n*7919%200_000))
	return fmt.Appendf(b, "%x", sha256.Sum256(b))
}

// TestKillChild is no test: it writes, and says after each write what is done, until it is killed.
func TestKillChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("runs as a child of TestKill")
	}
	d := openDir(t, path, statefile.Options{SyncAppends: true})
	if _, err := d.Lock("lock"); err != nil {
		t.Fatal(err)
	}
	start, err := strconv.Atoi(os.Getenv(childEnv + "_START"))
	if err != nil {
		t.Fatal(err)
	}
	for n := start; ; n++ {
		if err := errors.Join(d.WriteWhole("state", whole(n)), d.Append("journal", fmt.Appendf(nil, "%d\n", n))); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("done %d\n", n)
	}
}

// TestKill kills a process that writes, again and again, and looks at what is left.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := t.TempDir()
	start := 1
	for round := range 6 {
		done := killAfter(t, path, start, 1+round*2)
		d := openDir(t, path, statefile.Options{})
		release, err := d.Lock("lock")
		if err != nil {
			t.Fatalf("the lock of a killed process: %v", err)
		}
		release()
		got, err := d.Read("state")
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := bytes.Cut(got, []byte("\n"))
		n, err := strconv.Atoi(string(head))
		if err != nil || !bytes.Equal(got, whole(n)) {
			t.Fatalf("round %d: state is not whole: %d bytes", round, len(got))
		}
		if n < done {
			t.Errorf("round %d: state has generation %d, but %d was written", round, n, done)
		}
		checkJournal(t, d, done)
		start = n + 1
	}
}

// killAfter runs the child until it has said that it did count writes, kills it, and returns the last write it told.
func killAfter(t *testing.T, path string, start, count int) (done int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+path, fmt.Sprintf("%s_START=%d", childEnv, start))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for seen := 0; lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "done %d", &done); err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		if seen++; seen == count {
			cmd.Process.Kill() // it goes on writing until this arrives
		}
	}
	cmd.Wait()
	return done
}

// checkJournal checks that all lines up to the write done are there; later ones may be, and the last may be torn.
func checkJournal(t *testing.T, d *statefile.Dir, done int) {
	t.Helper()
	journal, err := d.Read("journal")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if !bytes.Contains(append([]byte("\n"), journal...), fmt.Appendf(nil, "\n%d\n", done)) {
		t.Errorf("the journal lacks line %d", done)
	}
}
