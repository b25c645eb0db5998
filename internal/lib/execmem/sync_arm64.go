//go:build linux || freebsd

package execmem

// sync makes the processor see new code: its caches for data and for instructions do not look at each other.
//
//go:noescape
func sync(addr, length uintptr)
