package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	tempPrefix = "tropea-testnet-"
	lockName   = "lock"
	nodesDir   = "nodes"
)

// runDir is the directory of a network. The process that runs the network holds a lock on a file in it, which the system
// drops when the process dies in whatever way: a temporary directory whose lock is free was left by a crash.
type runDir struct {
	path      string
	lock      *os.File
	temporary bool
}

// openRunDir makes or takes over the directory at path, or makes a temporary one and removes those of runs that crashed.
func openRunDir(path string) (*runDir, error) {
	if path == "" {
		return tempRunDir(os.TempDir())
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return keptRunDir(path)
}

func tempRunDir(parent string) (*runDir, error) {
	sweep(parent)
	path, err := os.MkdirTemp(parent, tempPrefix)
	if err != nil {
		return nil, err
	}
	// The lock is taken before it has its name, so that no other run sees it free.
	lock, err := os.OpenFile(filepath.Join(path, lockName+".new"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = errors.Join(ignoreUnsupported(tryLock(lock)), os.Rename(lock.Name(), filepath.Join(path, lockName)))
	}
	d := &runDir{path: path, lock: lock, temporary: true}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// keptRunDir takes over what an earlier network left at path, and clears its nodes away. It refuses a directory that
// holds anything else.
func keptRunDir(path string) (*runDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	lockPath := filepath.Join(path, lockName)
	if _, err := os.Lstat(lockPath); errors.Is(err, fs.ErrNotExist) && len(entries) > 0 {
		return nil, fmt.Errorf("%s is neither empty nor the directory of a test network", path)
	}
	lock, err := os.OpenFile(lockPath, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	d := &runDir{path: path, lock: lock}
	if err := ignoreUnsupported(tryLock(lock)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another test network: %w", path, err), d.close())
	}
	if err := os.RemoveAll(filepath.Join(path, nodesDir)); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// close gives the directory up, and removes it if it is temporary.
func (d *runDir) close() error {
	var err error
	if d.temporary {
		err = os.RemoveAll(d.path)
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// sweep removes the temporary directories of runs that crashed. It does what it can: a directory that cannot be judged
// stays.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, tempPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !ours(info) {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if tryLock(lock) == nil {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
