//go:build purego || !amd64

package hashx

// hasWide tells whether the processor can run programs on many lanes at a time.
const hasWide = false

const wideLanes = 16

func (p *Program) compileWide([]byte) []byte { panic("hashx: no wide compiler") }

func runWide(uintptr, *[4]uint64, uint64, *uint64, uint64) { panic("hashx: no wide compiler") }
