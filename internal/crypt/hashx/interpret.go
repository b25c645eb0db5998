package hashx

import (
	"encoding/binary"
	"math/bits"
)

// Lanes is how many inputs the interpreter takes at a time: it looks at each instruction once for all of them.
const Lanes = 8

// lanes is a register of all lanes.
type lanes [Lanes]uint64

// state is a run of the interpreter.
type state struct {
	regs   [8]lanes
	result [Lanes]uint32 // of the last wide multiplication
	jumped [Lanes]bool
}

// Hash is the whole hash of an input.
func (p *Program) Hash(input uint64) (out [32]byte) {
	r := registers(&p.keys, input)
	var s state
	for i := range r {
		s.regs[i][0] = r[i]
	}
	p.interpret(&s)
	for i := range r {
		r[i] = s.regs[i][0]
	}
	for i, v := range finish(&p.keys, &r) {
		binary.LittleEndian.PutUint64(out[8*i:], v)
	}
	return out
}

// Hash8 sets out to the first 8 bytes of the hash of each input, as a number in little-endian order.
func (p *Program) Hash8(in, out *[Lanes]uint64) {
	var s state
	for l, input := range in {
		r := registers(&p.keys, input)
		for i := range r {
			s.regs[i][l] = r[i]
		}
	}
	p.interpret(&s)
	for l := range out {
		var r [8]uint64
		for i := range r {
			r[i] = s.regs[i][l]
		}
		out[l] = finish(&p.keys, &r)[0]
	}
}

// interpret runs the program. Lanes that jump back catch up with the others at once: no lane jumps twice, so that the second
// time around goes straight to the branch.
func (p *Program) interpret(s *state) {
	target := 0
	for i := range p.code {
		in := &p.code[i]
		d, r := &s.regs[in.dst&7], &s.regs[in.src&7]
		switch in.op {
		case opUmulh:
			for l := range d {
				d[l], _ = bits.Mul64(d[l], r[l])
				s.result[l] = uint32(d[l])
			}
		case opSmulh:
			for l := range d {
				d[l] = smulh(d[l], r[l])
				s.result[l] = uint32(d[l])
			}
		case opMul:
			d[0] *= r[0]
			d[1] *= r[1]
			d[2] *= r[2]
			d[3] *= r[3]
			d[4] *= r[4]
			d[5] *= r[5]
			d[6] *= r[6]
			d[7] *= r[7]
		case opSub:
			d[0] -= r[0]
			d[1] -= r[1]
			d[2] -= r[2]
			d[3] -= r[3]
			d[4] -= r[4]
			d[5] -= r[5]
			d[6] -= r[6]
			d[7] -= r[7]
		case opXor:
			d[0] ^= r[0]
			d[1] ^= r[1]
			d[2] ^= r[2]
			d[3] ^= r[3]
			d[4] ^= r[4]
			d[5] ^= r[5]
			d[6] ^= r[6]
			d[7] ^= r[7]
		case opAddRS:
			n := in.imm & 3
			d[0] += r[0] << n
			d[1] += r[1] << n
			d[2] += r[2] << n
			d[3] += r[3] << n
			d[4] += r[4] << n
			d[5] += r[5] << n
			d[6] += r[6] << n
			d[7] += r[7] << n
		case opRor:
			n := -int(in.imm)
			for l := range d {
				d[l] = bits.RotateLeft64(d[l], n)
			}
		case opAddC:
			c := extend(in.imm)
			for l := range d {
				d[l] += c
			}
		case opXorC:
			c := extend(in.imm)
			for l := range d {
				d[l] ^= c
			}
		case opTarget:
			target = i
		case opBranch:
			for l, result := range s.result {
				if result&in.imm == 0 && !s.jumped[l] {
					s.jumped[l] = true
					s.again(p.code[target+1:i], l)
				}
			}
		}
	}
}

// again runs a part of the program on one lane, which has jumped and does so no more.
func (s *state) again(code []instr, l int) {
	l &= Lanes - 1
	for i := range code {
		in := &code[i]
		d, r := &s.regs[in.dst&7][l], s.regs[in.src&7][l]
		switch in.op {
		case opUmulh:
			*d, _ = bits.Mul64(*d, r)
		case opSmulh:
			*d = smulh(*d, r)
		case opMul:
			*d *= r
		case opSub:
			*d -= r
		case opXor:
			*d ^= r
		case opAddRS:
			*d += r << (in.imm & 3)
		case opRor:
			*d = bits.RotateLeft64(*d, -int(in.imm))
		case opAddC:
			*d += extend(in.imm)
		case opXorC:
			*d ^= extend(in.imm)
		}
	}
}

func smulh(a, b uint64) uint64 {
	hi, _ := bits.Mul64(a, b)
	// Correct for each factor that is negative.
	return hi - uint64(int64(a)>>63)&b - uint64(int64(b)>>63)&a
}

func extend(imm uint32) uint64 { return uint64(int64(int32(imm))) }
