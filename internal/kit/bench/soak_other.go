//go:build !unix

package bench

import "os"

// statusSignal makes a node write its figures to the log; there is none here.
var statusSignal os.Signal
