//go:build !purego

package hashx

import "encoding/binary"

// canCompile tells whether there is a compiler for this processor.
const canCompile = true

// run computes n hashes of first and the numbers that follow it, with the code of compile at entry.
//
//go:noescape
func run(entry uintptr, keys *[4]uint64, first uint64, out *uint64, n uint64)

// compile appends machine code, which works on registers r8 to r15, uses rax and rdx, and returns.
func (p *Program) compile(code []byte) []byte {
	return p.compileTwice(code, func(code []byte, imm uint32) []byte {
		code = append(code, 0xf7, 0xc2) // test edx, imm32
		code = binary.LittleEndian.AppendUint32(code, imm)
		return append(code, 0x0f, 0x84, 0, 0, 0, 0) // jz rel32
	}, func(code []byte, end, target int) {
		binary.LittleEndian.PutUint32(code[end-4:], uint32(target-end))
	})
}

func appendRet(code []byte) []byte { return append(code, 0xc3) }

// compile appends the code of one instruction, which is no branch. Registers 8 to 15 need a prefix in any place of an instruction.
func (in *instr) compile(code []byte) []byte {
	d, s := in.dst&7, in.src&7
	switch in.op {
	case opUmulh:
		return append(code, 0x49, 0x8b, 0xc0|d, 0x49, 0xf7, 0xe0|s, 0x4c, 0x8b, 0xc2|d<<3) // mov rax, d; mul s; mov d, rdx
	case opSmulh:
		return append(code, 0x49, 0x8b, 0xc0|d, 0x49, 0xf7, 0xe8|s, 0x4c, 0x8b, 0xc2|d<<3) // mov rax, d; imul s; mov d, rdx
	case opMul:
		return append(code, 0x4d, 0x0f, 0xaf, 0xc0|d<<3|s) // imul d, s
	case opSub:
		return append(code, 0x4d, 0x2b, 0xc0|d<<3|s) // sub d, s
	case opXor:
		return append(code, 0x4d, 0x33, 0xc0|d<<3|s) // xor d, s
	case opAddRS:
		return append(code, 0x4f, 0x8d, 0x04|d<<3, byte(in.imm)<<6|s<<3|d) // lea d, [d + s * scale]
	case opRor:
		return append(code, 0x49, 0xc1, 0xc8|d, byte(in.imm)) // ror d, imm8
	case opAddC:
		return binary.LittleEndian.AppendUint32(append(code, 0x49, 0x81, 0xc0|d), in.imm) // add d, imm32
	case opXorC:
		return binary.LittleEndian.AppendUint32(append(code, 0x49, 0x81, 0xf0|d), in.imm) // xor d, imm32
	}
	return code
}
