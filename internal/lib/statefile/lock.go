package statefile

import (
	"errors"
	"os"
	"sync"
)

// ErrLocked is wrapped by the error of Lock if another process, or another [Dir] of this one, holds the lock.
var ErrLocked = errors.New("locked: another Tor process is using this directory")

// Lock takes the lock on a file, makes the file if it is not there, and does not wait. The lock is the one that C tor
// takes, so that C tor and Tropea keep out of each other's directory. It ends with release or with the process; the
// file stays.
func (d *Dir) Lock(name string) (release func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	f, err := d.create(name, os.O_RDWR)
	if err != nil {
		return nil, d.explain("lock", name, err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, d.explain("lock", name, err)
	}
	return sync.OnceFunc(func() { f.Close() }), nil
}
