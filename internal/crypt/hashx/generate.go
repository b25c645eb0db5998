package hashx

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
	random     bool   // is like no other: see generator.par
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

const (
	noOp  = opcode(0xff)
	noReg = 0xff
	noPar = ^uint32(0)

	// leaReg cannot be the destination of opAddRS.
	leaReg = 5
)

// register is what the generator knows of a register.
type register struct {
	ready int // cycle in which its value is there
	last  opcode
	par   uint32 // what the last operation on it was done with
}

type generator struct {
	rng      rng
	out      *[Size]instr
	regs     [8]register
	used     [numCycles]uint8 // ports
	subCycle int
	cycle    int
}

// run makes the program. It reports false if the program does not fulfil the requirements, which nearly all do.
func (g *generator) run() bool {
	for i := range g.regs {
		g.regs[i] = register{last: noOp, par: noPar}
	}
	last := noOp
	size, muls, latency, attempt := 0, 0, 0, 0
	for size < Size {
		t := g.choose(last, attempt)
		last = t.group
		in, par := g.draw(t)
		at := g.schedule(t, false)
		if at < 0 {
			break
		}
		if !g.operands(t, in, par, at, attempt > 0, &g.out[size], &par) {
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
			ready := at + int(t.latency)
			g.regs[g.out[size].dst&7] = register{ready: ready, last: t.group, par: par}
			latency = max(latency, ready)
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

// draw makes the immediate value, and what tells the operation from others of its group.
func (g *generator) draw(t *template) (in instr, par uint32) {
	in, par = instr{op: t.op, src: noReg, dst: noReg}, noPar
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
		par = g.rng.u32()
	}
	return in, par
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

// operands chooses source and destination, as far as the instruction has them. It writes the instruction to out, and the
// parameter that the destination will remember to newPar.
func (g *generator) operands(t *template, in instr, par uint32, at int, retry bool, out *instr, newPar *uint32) bool {
	if t.src {
		src, ok := g.source(t, at)
		if !ok {
			return false
		}
		in.src = src
		if !t.random {
			par = uint32(src)
		}
	}
	if t.dst {
		dst, ok := g.destination(t, &in, par, at, retry)
		if !ok {
			return false
		}
		in.dst = dst
	}
	*out, *newPar = in, par
	return true
}

// source is any register that is ready.
func (g *generator) source(t *template, at int) (uint8, bool) {
	var list [8]uint8
	n := 0
	for i := range g.regs {
		list[n&7] = uint8(i)
		if g.regs[i].ready <= at {
			n++
		}
	}
	// If there are only two for opAddRS, leaReg must be the source since it cannot be the destination.
	if n == 2 && t.op == opAddRS && (list[0] == leaReg || list[1] == leaReg) {
		return leaReg, true
	}
	return g.pick(&list, n)
}

// destination is a register that is ready, and on which the operation does not undo, repeat or spoil the last one.
func (g *generator) destination(t *template, in *instr, par uint32, at int, retry bool) (uint8, bool) {
	var list [8]uint8
	n := 0
	for i := range g.regs {
		r := &g.regs[i]
		list[n&7] = uint8(i)
		if r.ready <= at &&
			(!t.distinct || uint8(i) != in.src) &&
			(retry || t.group != opMul || r.last != opMul) &&
			(r.last != t.group || r.par != par) &&
			(t.op != opAddRS || i != leaReg) {
			n++
		}
	}
	return g.pick(&list, n)
}

func (g *generator) pick(list *[8]uint8, n int) (uint8, bool) {
	switch n {
	case 0:
		return noReg, false
	case 1:
		return list[0], true
	}
	return list[g.rng.u32()%uint32(n)&7], true
}
