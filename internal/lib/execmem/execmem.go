// Package execmem gets memory for machine code from the system. It is at no time writable and executable at once.
//
// Some systems have none, or forbid it: SELinux, hardened kernels, seccomp. Callers have another way then.
package execmem

import "errors"

// Errors of this package. Those of the system come as they are.
var (
	ErrUnsupported = errors.New("no executable memory on this system")
	ErrTooLong     = errors.New("code does not fit into the memory")
	ErrClosed      = errors.New("executable memory has been given back")
)
