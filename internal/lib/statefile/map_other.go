//go:build !unix

package statefile

import (
	"io"
	"os"
)

// mapFile reads the whole of f.
func mapFile(f *os.File) (data []byte, unmap func(), err error) {
	data, err = io.ReadAll(f)
	return data, func() {}, err
}
