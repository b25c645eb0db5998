//go:build linux || freebsd

package execmem

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memory is a block of memory for machine code. It is there until Close: the garbage collector does not know it.
type Memory struct {
	block []byte
}

// New gets a block of at least size bytes. It fails on systems that forbid to execute what has been written.
func New(size int) (*Memory, error) {
	page := unix.Getpagesize()
	size = (max(size, 1) + page - 1) / page * page
	block, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	m := &Memory{block}
	if _, err := m.Load(nil); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Load copies code to the beginning of the block and returns its address. Code that was there before must not be running.
func (m *Memory) Load(code []byte) (uintptr, error) {
	switch {
	case m == nil || m.block == nil: // nil is what a failed New leaves
		return 0, ErrClosed
	case len(code) > len(m.block):
		return 0, ErrTooLong
	}
	if err := unix.Mprotect(m.block, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return 0, err
	}
	copy(m.block, code)
	if err := unix.Mprotect(m.block, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		return 0, err
	}
	entry := uintptr(unsafe.Pointer(&m.block[0]))
	sync(entry, uintptr(len(code)))
	return entry, nil
}

// Close gives the memory back. No code in it may be running.
func (m *Memory) Close() error {
	block := m.block
	if m.block = nil; block == nil {
		return nil
	}
	return unix.Munmap(block)
}
