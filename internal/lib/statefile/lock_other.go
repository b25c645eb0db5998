//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package statefile

import (
	"errors"
	"os"
)

// lockFile fails: to run without the lock would risk the keys.
func lockFile(*os.File) error { return errors.ErrUnsupported }
