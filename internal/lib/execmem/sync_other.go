//go:build !arm64

package execmem

// sync makes the processor see new code. Most do so on their own.
func sync(uintptr, uintptr) {}
