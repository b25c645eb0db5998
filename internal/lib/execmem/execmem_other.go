//go:build !linux && !freebsd

package execmem

// Memory is a block of memory for machine code, of which this system has none.
type Memory struct{}

// New fails with ErrUnsupported.
func New(int) (*Memory, error) { return nil, ErrUnsupported }

// Load fails with ErrUnsupported.
func (*Memory) Load([]byte) (uintptr, error) { return 0, ErrUnsupported }

// Close does nothing.
func (*Memory) Close() error { return nil }
