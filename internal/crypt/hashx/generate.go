package hashx

import "math/bits"

// The generator pretends to run the program on a processor with three ports (Intel's Ivy Bridge), so that real ones are kept
// busy. What the constants are, and in which order numbers are drawn, is the definition of HashX.
const (
	lastCycle   = 192 // the program ends here
	numCycles   = lastCycle + 4
	wantMul     = 192 // multiplications in a program
	wantLatency = 194 // cycle in which the last result is there

	subCycles = 3 // instructions in a cycle
)

// Execution ports.
const (
	p0 uint8 = 1 << iota
	p1
	p5
	p05  = p0 | p5
	p01  = p0 | p1
	p015 = p0 | p1 | p5
)

// template is a kind of instruction.
type template struct {
	op         opcode
	group      opcode // two of a group in a row could be made one
	latency    uint8  // cycles
	uop1, uop2 uint8  // ports for its parts; uop2 is 0 if there is one part
	mask       uint32 // of the immediate value; 0 if there is none
	zero       bool   // the immediate value may be zero
	src, dst   bool   // has them
	distinct   bool   // and they must not be the same
	random     bool   // is like no other: see generator.draw
}

var (
	tplUmulh  = template{op: opUmulh, group: opUmulh, latency: 4, uop1: p1, uop2: p5, src: true, dst: true, random: true}
	tplSmulh  = template{op: opSmulh, group: opSmulh, latency: 4, uop1: p1, uop2: p5, src: true, dst: true, random: true}
	tplMul    = template{op: opMul, group: opMul, latency: 3, uop1: p1, src: true, dst: true, distinct: true}
	tplSub    = template{op: opSub, group: opAddRS, latency: 1, uop1: p015, src: true, dst: true, distinct: true}
	tplXor    = template{op: opXor, group: opXor, latency: 1, uop1: p015, src: true, dst: true, distinct: true}
	tplAddRS  = template{op: opAddRS, group: opAddRS, latency: 1, uop1: p01, mask: 3, zero: true, src: true, dst: true, distinct: true}
	tplRor    = template{op: opRor, group: opRor, latency: 1, uop1: p05, mask: 63, dst: true}
	tplAddC   = template{op: opAddC, group: opAddC, latency: 1, uop1: p015, mask: 1<<32 - 1, dst: true}
	tplXorC   = template{op: opXorC, group: opXorC, latency: 1, uop1: p015, mask: 1<<32 - 1, dst: true}
	tplTarget = template{op: opTarget, group: opTarget, uop1: p015, uop2: p015}
	tplBranch = template{op: opBranch, group: opBranch, uop1: p015, uop2: p015}
)

// arithmetic are the templates of slots of type A; in a second attempt only the first four, which need no source.
var arithmetic = [8]*template{&tplRor, &tplXorC, &tplAddC, &tplAddC, &tplSub, &tplXor, &tplXorC, &tplAddRS}

// layout is what kinds of instruction follow each other, over and over.
const layout = "MTAMAAMAAMAAWAAMAAMBAMAAWAAMAAMAAMAA"

// leaReg cannot be the destination of opAddRS.
const leaReg = 5

// regSet is a set of registers, a bit for each.
type regSet uint8

// nth are the members of each set, in order.
var nth = func() (t [256][8]uint8) {
	for set := range t {
		n := 0
		for reg := range uint8(8) {
			if set>>reg&1 != 0 {
				t[set][n] = reg
				n++
			}
		}
	}
	return t
}()

// noPar is the parameter of operations with constants.
const noPar = ^uint32(0)

type generator struct {
	rng      rng
	out      *[Size]instr
	ready    [numCycles + 8]regSet // in each cycle, the registers whose value is there; past cycles are not kept
	last     [opBranch + 1]regSet  // the registers on which an operation of a group was the last
	group    [8]opcode             // of the last operation on each register
	par      [8]uint32             // and what that was done with
	used     [numCycles]uint8      // ports
	subCycle int
	cycle    int
}

// run makes the program. It reports false if the program does not fulfil the requirements, which nearly all do.
func (g *generator) run() bool {
	for i := range g.ready {
		g.ready[i] = 0xff
	}
	group := opcode(0xff) // of the last instruction
	size, muls, latency, attempt := 0, 0, 0, 0
	for size < Size {
		t := g.choose(group, attempt)
		group = t.group
		in := &g.out[size]
		par := g.draw(t, in)
		at := g.schedule(t, false)
		if at < 0 {
			break
		}
		ok := true
		if t.src {
			if ok = g.source(t, in, at); ok && !t.random {
				par = uint32(in.src)
			}
		}
		if ok && t.dst {
			ok = g.destination(t, in, par, at, attempt > 0)
		}
		if !ok {
			if attempt++; attempt > 1 {
				g.advance(subCycles)
				attempt = 0
			}
			continue
		}
		attempt = 0
		if at = g.schedule(t, true); at < 0 || at >= lastCycle {
			break
		}
		if t.dst {
			latency = max(latency, at+int(t.latency))
			g.write(in.dst, t.group, par, at+int(t.latency))
		}
		size++
		if t.op <= opMul {
			muls++
		}
		if t.uop2 != 0 {
			g.advance(2)
		} else {
			g.advance(1)
		}
	}
	return size == Size && muls == wantMul && latency == wantLatency
}

func (g *generator) advance(n int) {
	g.subCycle += n
	g.cycle = g.subCycle / subCycles
}

// write notes that a register gets a value, which will be there in the cycle ready.
func (g *generator) write(reg uint8, group opcode, par uint32, ready int) {
	bit := regSet(1) << (reg & 7)
	g.last[g.group[reg&7]] &^= bit
	g.last[group] |= bit
	g.group[reg&7] = group
	g.par[reg&7] = par
	for cycle := g.cycle; cycle < ready; cycle++ {
		g.ready[cycle] &^= bit
	}
}

// choose takes the kind of the next instruction.
func (g *generator) choose(last opcode, attempt int) *template {
	switch layout[g.subCycle%len(layout)] {
	case 'M':
		return &tplMul
	case 'T':
		return &tplTarget
	case 'B':
		return &tplBranch
	case 'W':
		if g.rng.u8()&1 == 0 {
			return &tplSmulh
		}
		return &tplUmulh
	}
	mask := uint8(7)
	if attempt > 0 {
		mask = 3
	}
	for {
		if t := arithmetic[g.rng.u8()&mask]; t.group != last {
			return t
		}
	}
}

// draw makes the instruction but for its registers. It returns what tells the operation from others of its group.
func (g *generator) draw(t *template, in *instr) (par uint32) {
	*in = instr{op: t.op}
	switch {
	case t.op == opBranch:
		for n := 0; n < 4; {
			if bit := uint32(1) << (g.rng.u8() % 32); in.imm&bit == 0 {
				in.imm |= bit
				n++
			}
		}
	case t.mask != 0:
		for {
			if in.imm = g.rng.u32() & t.mask; in.imm != 0 || t.zero {
				break
			}
		}
	case t.random:
		return g.rng.u32()
	}
	return noPar
}

// schedule finds the cycle in which an instruction can run.
func (g *generator) schedule(t *template, commit bool) int {
	if t.uop2 == 0 {
		return g.scheduleUop(t.uop1, g.cycle, commit)
	}
	// Both parts must run in the same cycle; each is looked at as if the other were not there.
	for cycle := g.cycle; cycle < numCycles; cycle++ {
		if at := g.scheduleUop(t.uop1, cycle, false); at >= 0 && at == g.scheduleUop(t.uop2, cycle, false) {
			if commit {
				g.scheduleUop(t.uop1, cycle, true)
				g.scheduleUop(t.uop2, cycle, true)
			}
			return at
		}
	}
	return -1
}

// scheduleUop prefers port 5 to port 0 and that to port 1.
func (g *generator) scheduleUop(ports uint8, cycle int, commit bool) int {
	for ; cycle < numCycles; cycle++ {
		free := ports &^ g.used[cycle]
		if free == 0 {
			continue
		}
		if commit {
			switch {
			case free&p5 != 0:
				free = p5
			case free&p0 != 0:
				free = p0
			}
			g.used[cycle] |= free
		}
		return cycle
	}
	return -1
}

// source chooses any register that is ready.
func (g *generator) source(t *template, in *instr, at int) (ok bool) {
	set := g.ready[at]
	// If there are only two for opAddRS, leaReg must be the source since it cannot be the destination.
	if t.op == opAddRS && set>>leaReg&1 != 0 && bits.OnesCount8(uint8(set)) == 2 {
		in.src = leaReg
		return true
	}
	in.src, ok = g.pick(set)
	return ok
}

// destination chooses a register that is ready, and on which the operation does not undo, repeat or spoil the last one.
func (g *generator) destination(t *template, in *instr, par uint32, at int, retry bool) (ok bool) {
	set := g.ready[at]
	if t.distinct {
		set &^= 1 << (in.src & 7)
	}
	switch {
	case t.op == opAddRS:
		set &^= 1 << leaReg
	case t.op == opMul && !retry:
		set &^= g.last[opMul]
	}
	for same := set & g.last[t.group]; same != 0; same &= same - 1 {
		if reg := bits.TrailingZeros8(uint8(same)) & 7; g.par[reg] == par {
			set &^= 1 << reg
		}
	}
	in.dst, ok = g.pick(set)
	return ok
}

func (g *generator) pick(set regSet) (uint8, bool) {
	switch n := uint32(bits.OnesCount8(uint8(set))); n {
	case 0:
		return 0, false
	case 1:
		return nth[set][0], true
	default:
		return nth[set][g.rng.u32()%n&7], true
	}
}
