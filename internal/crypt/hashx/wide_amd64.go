//go:build !purego

package hashx

import (
	"encoding/binary"

	"golang.org/x/sys/cpu"
)

// hasWide tells whether the processor can run programs on many lanes at a time. A multiplication of eight lanes takes longer
// than one of one, but not eight times as long, and two sets of eight hide how long it takes.
var hasWide = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ

// wideLanes is the number of lanes of wide code.
const wideLanes = 16

// runWide computes n hashes, a multiple of wideLanes, of first and the numbers that follow it, with the code of compileWide at entry.
//
//go:noescape
func runWide(entry uintptr, keys *[4]uint64, first uint64, out *uint64, n uint64)

// Registers of wide code: each half has its own eight for the program's, four for what a multiplication takes, one for its
// result, and a mask of the lanes that have not jumped yet.
const (
	zTemp   = 16 // and 20
	zResult = 24 // and 25
	zLow    = 26 // the lower 32 bits of each lane are ones

	kMayJump = 1 // and 2
	kJump    = 3 // the lanes that jump at a branch
)

// wideCode is machine code in the making.
type wideCode struct {
	code   []byte
	consts []wideConst
}

// wideConst is a place in the code that has the address of a constant, relative to its end.
type wideConst struct {
	end   int
	value uint64
}

// half is one of the two sets of lanes, 0 or 1, as an instruction uses it: with a mask of the lanes that it is for, 0 for all.
type half struct {
	n, mask uint8
}

func (h half) reg(r uint8) uint8  { return r&7 + 8*h.n }
func (h half) temp(t uint8) uint8 { return zTemp + 4*h.n + t }

// compileWide appends machine code for programs on two times eight lanes. Lanes that jump back catch up with the others at once,
// as in the interpreter, in code that is out of the way of those that do not.
func (p *Program) compileWide(code []byte) []byte {
	c := wideCode{code: code}
	type jump struct {
		half         half
		first, end   int // instructions to do again
		from, backTo int // positions in the code
	}
	var jumps []jump
	target := 0
	for i := range p.code {
		in := &p.code[i]
		for n := range uint8(2) {
			h := half{n: n}
			switch in.op {
			case opTarget:
				target = i
			case opBranch:
				c.testnm(kJump, zResult+n, uint64(in.imm), kMayJump+n)
				c.code = append(c.code, 0xc5, 0xf9, 0x98, 0xc0|kJump<<3|kJump) // kortestb k3, k3
				c.code = append(c.code, 0x0f, 0x85, 0, 0, 0, 0)                // jnz rel32
				jumps = append(jumps, jump{half{n, kJump}, target + 1, i, len(c.code), len(c.code)})
			default:
				c.instr(in, h)
				if in.op == opUmulh || in.op == opSmulh {
					c.op(map0F, 0x6f, zResult+n, 0, h.reg(in.dst), 0) // vmovdqa64 result, dst
				}
			}
		}
	}
	c.code = append(c.code, 0xc3) // ret
	for _, j := range jumps {
		c.patch(j.from, len(c.code))
		k := kMayJump + j.half.n
		c.code = append(c.code, 0xc5, 0xe5, 0x42, 0xc0|k<<3|k) // kandnb k, k3, k
		for i := range p.code[j.first:j.end] {
			c.instr(&p.code[j.first+i], j.half)
		}
		c.code = append(c.code, 0xe9, 0, 0, 0, 0) // jmp rel32
		c.patch(len(c.code), j.backTo)
	}
	for _, k := range c.consts {
		c.patch(k.end, len(c.code))
		c.code = binary.LittleEndian.AppendUint64(c.code, k.value)
	}
	return c.code
}

// patch makes the relative address that ends at end that of to.
func (c *wideCode) patch(end, to int) {
	binary.LittleEndian.PutUint32(c.code[end-4:], uint32(to-end))
}

// Tables of opcodes.
const (
	map0F   = 1
	map0F38 = 2
)

// evex appends the prefix of AVX-512 for a 512-bit instruction on lanes of 64 bits, and the opcode. pp is 1 for the prefix 66 and 2
// for f3. The upper bits of register numbers are stored inverted.
func (c *wideCode) evex(table, pp, opcode, reg, vvvv, rm, mask, broadcast uint8) {
	inv := func(r, bit uint8) uint8 { return ^r >> bit & 1 }
	c.code = append(c.code, 0x62,
		inv(reg, 3)<<7|inv(rm, 4)<<6|inv(rm, 3)<<5|inv(reg, 4)<<4|table,
		1<<7|^vvvv&15<<3|1<<2|pp,
		2<<5|broadcast<<4|inv(vvvv, 4)<<3|mask,
		opcode)
}

// op appends dst = a op b, for the lanes of mask.
func (c *wideCode) op(table, opcode, dst, a, b, mask uint8) {
	c.evex(table, 1, opcode, dst, a, b, mask, 0)
	c.code = append(c.code, 0xc0|dst&7<<3|b&7)
}

// shift appends dst = a shifted by imm; ext tells in which way.
func (c *wideCode) shift(opcode, ext, dst, a, imm, mask uint8) {
	c.evex(map0F, 1, opcode, ext, dst, a, mask, 0)
	c.code = append(c.code, 0xc0|ext<<3|a&7, imm)
}

// opConst appends dst = a op value.
func (c *wideCode) opConst(opcode, dst, a uint8, value uint64, mask uint8) {
	c.evex(map0F, 1, opcode, dst, a, 0, mask, 1)
	c.address(dst, value)
}

// testnm sets mask register k to those lanes of a, among those of mask, that have no bit in common with value.
func (c *wideCode) testnm(k, a uint8, value uint64, mask uint8) {
	c.evex(map0F38, 2, 0x27, k, a, 0, mask, 1)
	c.address(k, value)
}

// address appends the address of a constant as the last operand, relative to what follows.
func (c *wideCode) address(reg uint8, value uint64) {
	c.code = append(c.code, reg&7<<3|5, 0, 0, 0, 0)
	c.consts = append(c.consts, wideConst{len(c.code), value})
}

// Opcodes.
const (
	vpaddq   = 0xd4
	vpsubq   = 0xfb
	vpxorq   = 0xef
	vpandq   = 0xdb
	vpmuludq = 0xf4 // of the lower halves of lanes
	vpmullq  = 0x40 // in map0F38
)

func (c *wideCode) srl(dst, a, n uint8)       { c.shift(0x73, 2, dst, a, n, 0) }
func (c *wideCode) sll(dst, a, n uint8)       { c.shift(0x73, 6, dst, a, n, 0) }
func (c *wideCode) sra(dst, a, n uint8)       { c.shift(0x72, 4, dst, a, n, 0) }
func (c *wideCode) ror(dst, a, n, mask uint8) { c.shift(0x72, 0, dst, a, n, mask) }
func (c *wideCode) add(dst, a, b, mask uint8) { c.op(map0F, vpaddq, dst, a, b, mask) }
func (c *wideCode) sub(dst, a, b, mask uint8) { c.op(map0F, vpsubq, dst, a, b, mask) }
func (c *wideCode) and(dst, a, b uint8)       { c.op(map0F, vpandq, dst, a, b, 0) }
func (c *wideCode) mulLow(dst, a, b uint8)    { c.op(map0F, vpmuludq, dst, a, b, 0) }
func (c *wideCode) instr(in *instr, h half) {
	d, s := h.reg(in.dst), h.reg(in.src)
	switch in.op {
	case opUmulh, opSmulh:
		c.mulHigh(d, s, h, in.op == opSmulh)
	case opMul:
		c.op(map0F38, vpmullq, d, d, s, h.mask)
	case opSub:
		c.sub(d, d, s, h.mask)
	case opXor:
		c.op(map0F, vpxorq, d, d, s, h.mask)
	case opAddRS:
		if in.imm != 0 {
			c.sll(h.temp(0), s, uint8(in.imm))
			s = h.temp(0)
		}
		c.add(d, d, s, h.mask)
	case opRor:
		c.ror(d, d, uint8(in.imm), h.mask)
	case opAddC:
		c.opConst(vpaddq, d, d, extend(in.imm), h.mask)
	case opXorC:
		c.opConst(vpxorq, d, d, extend(in.imm), h.mask)
	}
}

// mulHigh appends d = the upper half of d * s, of products of halves of 32 bits.
func (c *wideCode) mulHigh(d, s uint8, h half, signed bool) {
	t0, t1, t2, t3 := h.temp(0), h.temp(1), h.temp(2), h.temp(3)
	c.srl(t0, d, 32)
	c.srl(t1, s, 32)
	c.mulLow(t2, d, s)
	c.mulLow(t3, t0, s)
	c.srl(t2, t2, 32)
	c.add(t3, t3, t2, 0) // no overflow: (2³²-1)² + 2³²-1 < 2⁶⁴
	c.mulLow(t2, d, t1)
	c.mulLow(t0, t0, t1)
	c.and(t1, t3, zLow)
	c.add(t2, t2, t1, 0)
	c.srl(t3, t3, 32)
	c.srl(t2, t2, 32)
	c.add(t0, t0, t3, 0)
	if !signed {
		c.add(d, t0, t2, h.mask)
		return
	}
	// Correct for each factor that is negative: see smulh.
	c.add(t0, t0, t2, 0)
	c.sra(t1, d, 63)
	c.and(t1, t1, s)
	c.sra(t2, s, 63)
	c.and(t2, t2, d)
	c.sub(t0, t0, t1, 0)
	c.sub(d, t0, t2, h.mask)
}
