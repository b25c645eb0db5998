package hashx

// MaxCode is more than any compiled program takes, in bytes.
const MaxCode = 48 << 10

// Memory is memory for compiled programs, which a caller gets from the system.
type Memory interface {
	// Load copies code, of MaxCode bytes at most, to where it can be executed, in place of what it copied before, and returns the address.
	Load(code []byte) (uintptr, error)
}

// A Func computes a lot of hashes, by compiled code if it can. It is for one goroutine at a time.
type Func struct {
	p     Program
	mem   Memory
	code  []byte
	entry uintptr // 0: the program is not compiled
	wide  bool    // it is compiled for many lanes
}

// NewFunc makes a Func without a program. mem may be nil.
func NewFunc(mem Memory) *Func {
	f := &Func{mem: mem, wide: hasWide}
	if !canCompile {
		f.mem = nil
	}
	return f
}

// Compiles reports whether programs are compiled. Once the system refuses that, it is not tried again.
func (f *Func) Compiles() bool { return f.mem != nil }

// Reset makes f the hash function of another seed. After an error, f is not usable.
func (f *Func) Reset(seed []byte) error {
	f.entry = 0
	if err := f.p.Reset(seed); err != nil {
		return err
	}
	if f.mem == nil {
		return nil
	}
	if f.wide {
		f.code = f.p.compileWide(f.code[:0])
	} else {
		f.code = f.p.compile(f.code[:0])
	}
	entry, err := f.mem.Load(f.code)
	if err != nil {
		f.mem = nil // the interpreter does it as well
		return nil
	}
	f.entry = entry
	return nil
}

// Range sets out to the first 8 bytes of the hashes of first and the numbers that follow it, in little-endian order.
func (f *Func) Range(first uint64, out []uint64) {
	switch n := len(out) / wideLanes * wideLanes; {
	case f.entry == 0:
	case !f.wide && len(out) > 0:
		run(f.entry, &f.p.keys, first, &out[0], uint64(len(out)))
		return
	case f.wide && n > 0:
		runWide(f.entry, &f.p.keys, first, &out[0], uint64(n))
		first, out = first+uint64(n), out[n:]
	}
	var in, hashes [Lanes]uint64
	for i := 0; i < len(out); i += Lanes {
		for l := range in {
			in[l] = first + uint64(i+l)
		}
		f.p.Hash8(&in, &hashes)
		copy(out[i:], hashes[:])
	}
}
