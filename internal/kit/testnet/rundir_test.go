package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestTempRunDirs(t *testing.T) {
	tmp := t.TempDir()
	first, err := tempRunDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	// Not a run: it has no lock file.
	foreign := filepath.Join(tmp, tempPrefix+"foreign")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	second, err := tempRunDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{first.path, second.path, foreign} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("a directory in use was swept: %v", err)
		}
	}
	if err := errors.Join(first.close(), second.close()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{first.path, second.path} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

func TestKeptRunDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net")
	d, err := openRunDir(path)
	if err != nil {
		t.Fatal(err)
	}
	node := nodeDir(path, "relay1")
	if err := os.MkdirAll(node, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openRunDir(path); runtime.GOOS == "linux" && err == nil {
		t.Error("two networks have one directory")
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(node); err != nil {
		t.Errorf("a kept directory lost a node: %v", err)
	}
	if d, err = openRunDir(path); err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, err := os.Stat(node); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the next network found an old node: %v", err)
	}
}
