// Package hashx is HashX, a family of hash functions: each seed gives a program of 512 instructions, and running it is what
// costs time. Puzzles that are made of it are as hard for special hardware as for an ordinary processor.
//
//	seed ── BLAKE2b ──► keys ── generator ──► Program
//	input ── SipHash with keys ──► 8 registers ── the program ──► SipHash ──► output
//
// There is an interpreter, which runs the program on several inputs at a time, and for some processors a compiler: of programs for
// one input on amd64 and arm64, and for sixteen at a time with AVX-512. Compiled programs need memory that may be executed, which
// a pure package cannot ask the system for: see [Memory].
//
// https://spec.torproject.org/hspow-spec/v1-equix.html
package hashx

import "errors"

// ErrSeed says that a seed gives no program. That happens to less than one in 10000.
var ErrSeed = errors.New("seed gives no program")

// Size is the number of instructions in a program.
const Size = 512

// opcode is an operation of the program's machine.
type opcode uint8

// The operations, on registers of 64 bits. In this order, the multiplications come first.
const (
	opUmulh  opcode = iota // dst = upper half of dst * src; what comes out also decides the next branch
	opSmulh                // the same, signed
	opMul                  // dst *= src
	opSub                  // dst -= src
	opXor                  // dst ^= src
	opAddRS                // dst += src << imm
	opRor                  // dst is rotated right by imm
	opAddC                 // dst += imm, sign-extended
	opXorC                 // dst ^= imm, sign-extended
	opTarget               // where the next branch leads to
	opBranch               // back to behind the last target if (result & imm) == 0, once in a run
)

// instr is an instruction.
type instr struct {
	op       opcode
	dst, src uint8
	imm      uint32
}

// A Program is the hash function of a seed.
type Program struct {
	keys [4]uint64 // of the registers
	code [Size]instr
}

// New makes the program of a seed.
func New(seed []byte) (*Program, error) {
	p := &Program{}
	if err := p.Reset(seed); err != nil {
		return nil, err
	}
	return p, nil
}

// Reset makes p the program of another seed. After an error, p is not usable.
func (p *Program) Reset(seed []byte) error {
	gen, keys := seedKeys(seed)
	p.keys = keys
	g := generator{rng: rng{keys: gen}, out: &p.code}
	if !g.run() {
		return ErrSeed
	}
	return nil
}
