//go:build unix

package onion

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// childEnv makes a test process the child that TestKill kills.
const childEnv = "TROPEA_ONION_CHILD"

// TestKillChild is no test: it makes key directories, and says after each that it is done, until it is killed.
func TestKillChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("runs as a child of TestKill")
	}
	for n := 0; ; n++ {
		s := New()
		s.Clients = []Client{{"alice", [32]byte{9}}, {"bob", [32]byte{10}}}
		if err := s.Install(quiet, filepath.Join(path, fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("done %d\n", n)
	}
}

// TestKill kills a process that makes key directories: whatever is there is whole, with all its clients.
func TestKill(t *testing.T) {
	for round := range 3 {
		path := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$", "-test.count=1")
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := 0
		for in := bufio.NewScanner(out); in.Scan(); {
			if strings.HasPrefix(in.Text(), "done ") {
				done++
			}
			if done == 1+round {
				cmd.Process.Kill()
			}
		}
		cmd.Wait() // it was killed
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), tmpSuffix) {
				continue
			}
			s, notes, err := Load(filepath.Join(path, e.Name()))
			if err != nil || len(notes) > 0 || len(s.Clients) != 2 {
				t.Fatalf("after a kill: %v, %q", err, notes)
			}
			whole++
		}
		if whole < done || done == 0 {
			t.Errorf("%d directories were made, and %d are there", done, whole)
		}
	}
}
