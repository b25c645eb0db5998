//go:build unix

package bench

import (
	"os"
	"syscall"
)

// statusSignal makes a node write its figures to the log.
var statusSignal os.Signal = syscall.SIGUSR1
