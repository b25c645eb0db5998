//go:build !unix

package statefile

import "os"

// fsyncDir does nothing: directories cannot be flushed here.
func fsyncDir(*os.File) error { return nil }
