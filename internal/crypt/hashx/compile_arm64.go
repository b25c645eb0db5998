//go:build !purego

package hashx

import "encoding/binary"

// canCompile tells whether there is a compiler for this processor.
const canCompile = true

// run computes n hashes of first and the numbers that follow it, with the code of compile at entry.
//
//go:noescape
func run(entry uintptr, keys *[4]uint64, first uint64, out *uint64, n uint64)

// Registers of the compiled code beside x0 to x7.
const (
	regConst  = 8 // constants
	regResult = 9 // of the last wide multiplication
)

const ret = 0xd65f03c0

// compile appends machine code, which works on registers x0 to x7, uses x8 and x9, and returns.
func (p *Program) compile(code []byte) []byte {
	return p.compileTwice(code, func(code []byte, imm uint32) []byte {
		code = word(code, 0x52800000|(imm&0xffff)<<5|regConst)  // movz w8, low half
		code = word(code, 0x72a00000|(imm>>16)<<5|regConst)     // movk w8, high half, lsl 16
		code = word(code, 0x6a00001f|regConst<<16|regResult<<5) // tst w9, w8
		return word(code, 0x54000000)                           // b.eq
	}, func(code []byte, end, target int) {
		at := code[end-4:]
		offset := uint32(target-(end-4)) / 4
		binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|offset&(1<<19-1)<<5)
	})
}

func appendRet(code []byte) []byte { return word(code, ret) }

func word(code []byte, w uint32) []byte { return binary.LittleEndian.AppendUint32(code, w) }

// compile appends the code of one instruction, which is no branch.
func (in *instr) compile(code []byte) []byte {
	d, s := uint32(in.dst&7), uint32(in.src&7)
	ddd := d<<5 | d // first operand and result
	dds := s<<16 | ddd
	switch in.op {
	case opUmulh:
		return word(word(code, 0x9bc07c00|dds), 0x2a0003e0|d<<16|regResult) // umulh d, d, s; mov w9, d
	case opSmulh:
		return word(word(code, 0x9b407c00|dds), 0x2a0003e0|d<<16|regResult) // smulh d, d, s; mov w9, d
	case opMul:
		return word(code, 0x9b007c00|dds) // mul d, d, s
	case opSub:
		return word(code, 0xcb000000|dds) // sub d, d, s
	case opXor:
		return word(code, 0xca000000|dds) // eor d, d, s
	case opAddRS:
		return word(code, 0x8b000000|dds|(in.imm&3)<<10) // add d, d, s, lsl imm
	case opRor:
		return word(code, 0x93c00000|d<<16|ddd|(in.imm&63)<<10) // ror d, d, imm
	case opAddC:
		return word(constant(code, in.imm), 0x8b000000|regConst<<16|ddd) // add d, d, x8
	case opXorC:
		return word(constant(code, in.imm), 0xca000000|regConst<<16|ddd) // eor d, d, x8
	}
	return code
}

// constant sets x8 to imm, sign-extended.
func constant(code []byte, imm uint32) []byte {
	low, high := imm&0xffff, imm>>16
	if imm>>31 == 0 {
		code = word(code, 0xd2800000|low<<5|regConst) // movz x8, low half
	} else {
		code = word(code, 0x92800000|(low^0xffff)<<5|regConst) // movn x8, the opposite of the low half
	}
	return word(code, 0xf2a00000|high<<5|regConst) // movk x8, high half, lsl 16
}
