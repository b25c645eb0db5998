//go:build purego || (!amd64 && !arm64)

package hashx

// canCompile tells whether there is a compiler for this processor.
const canCompile = false

func (p *Program) compile([]byte) []byte { panic("hashx: no compiler") }

func run(uintptr, *[4]uint64, uint64, *uint64, uint64) { panic("hashx: no compiler") }
