//go:build unix

package statefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the whole of f, which may be closed afterwards.
func mapFile(f *os.File) (data []byte, unmap func(), err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, unix.EINVAL
	}
	size := info.Size()
	if size == 0 {
		return nil, func() {}, nil // an empty mapping is an error
	}
	if int64(int(size)) != size {
		return nil, nil, unix.EFBIG
	}
	data, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	return data, func() { _ = unix.Munmap(data) }, nil
}
