//go:build unix

package statefile

import (
	"errors"
	"os"
	"syscall"
)

// fsyncDir flushes a directory. Some network file systems cannot, and need not.
func fsyncDir(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
