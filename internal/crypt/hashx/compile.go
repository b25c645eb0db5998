//go:build !purego && (amd64 || arm64)

package hashx

// compileTwice appends the code of a program. branch appends a branch, and patch makes the one that ends at end lead to target.
//
// Since a run jumps back at most once, the code is there twice: the branches of the first copy lead to the targets of the
// second, which has no branches.
func (p *Program) compileTwice(code []byte, branch func(code []byte, mask uint32) []byte, patch func(code []byte, end, target int)) []byte {
	var ends [Size]int // of the branches
	n := 0
	for i := range p.code {
		in := &p.code[i]
		if in.op == opBranch {
			code = branch(code, in.imm)
			ends[n] = len(code)
			n++
		} else {
			code = in.compile(code)
		}
	}
	code = appendRet(code)
	n = 0
	target := len(code)
	for i := range p.code {
		switch in := &p.code[i]; in.op {
		case opTarget:
			target = len(code)
		case opBranch:
			patch(code, ends[n], target)
			n++
		default:
			code = in.compile(code)
		}
	}
	return appendRet(code)
}
