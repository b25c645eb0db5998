package hashx

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/execmem"
)

//go:embed testdata/hashx.json
var vectorJSON []byte

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vectors struct {
	Short []struct {
		Seed  string   `json:"seed_ascii"`
		Input uint64   `json:"input,string"`
		Want  hexBytes `json:"out_8_bytes"`
	} `json:"hashx8"`
	Long []struct {
		Seed  hexBytes `json:"seed_hex"`
		Input uint64   `json:"input,string"`
		Want  hexBytes `json:"out_32"`
	} `json:"hashx32"`
}

func load(tb testing.TB) (v vectors) {
	tb.Helper()
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func mustNew(tb testing.TB, seed []byte) *Program {
	tb.Helper()
	p, err := New(seed)
	if err != nil {
		tb.Fatalf("seed %x: %v", seed, err)
	}
	return p
}

func TestVectors(t *testing.T) {
	v := load(t)
	for _, c := range v.Short {
		if got := mustNew(t, []byte(c.Seed)).Hash(c.Input); !bytes.Equal(got[:8], c.Want) {
			t.Errorf("seed %q, input %d: got %x, want %x", c.Seed, c.Input, got, c.Want)
		}
	}
	for _, c := range v.Long {
		if got := mustNew(t, c.Seed).Hash(c.Input); !bytes.Equal(got[:], c.Want) {
			t.Errorf("seed %x, input %d: got %x, want %x", c.Seed, c.Input, got, c.Want)
		}
	}
}

// plain runs a program on one input as its definition reads. It returns the length of the way.
func plain(p *Program, input uint64) (uint64, int) {
	s := state{}
	r := registers(&p.keys, input)
	for i := range r {
		s.regs[i][0] = r[i]
	}
	target, jumped, steps := 0, false, 0
	var result uint32
	for i := 0; i < len(p.code); i++ {
		in := p.code[i]
		steps++
		switch in.op {
		case opTarget:
			target = i
		case opBranch:
			if !jumped && result&in.imm == 0 {
				jumped, i = true, target
			}
		default:
			s.again(p.code[i:i+1], 0)
			if in.op == opUmulh || in.op == opSmulh {
				result = uint32(s.regs[in.dst][0])
			}
		}
	}
	for i := range r {
		r[i] = s.regs[i][0]
	}
	return finish(&p.keys, &r)[0], steps
}

// Eight lanes, one lane and the definition give the same.
func TestLanes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	jumps := 0
	for range 200 {
		p, err := New(binary.LittleEndian.AppendUint64(nil, rnd.Uint64()))
		if errors.Is(err, ErrSeed) {
			continue
		}
		var in, out [Lanes]uint64
		for l := range in {
			in[l] = rnd.Uint64() >> (rnd.Uint32() % 64)
		}
		p.Hash8(&in, &out)
		for l := range in {
			want, steps := plain(p, in[l])
			one := p.Hash(in[l])
			if got := binary.LittleEndian.Uint64(one[:]); got != want || out[l] != want {
				t.Fatalf("input %d: got %x and %x, want %x", in[l], got, out[l], want)
			}
			if steps > Size {
				jumps++
			}
		}
	}
	if jumps == 0 || jumps == 200*Lanes {
		t.Errorf("%d of %d runs jumped", jumps, 200*Lanes)
	}
}

// All programs have the same kinds of instruction at the same places, but for A and W: the requirements leave no room.
func TestLayout(t *testing.T) {
	rejected := 0
	for seed := range uint32(3000) {
		p, err := New(binary.LittleEndian.AppendUint32(nil, seed))
		if errors.Is(err, ErrSeed) {
			rejected++
			continue
		}
		slot := 0
		for i, in := range p.code {
			kind := layout[slot%len(layout)]
			ok := in.dst < 8 && in.src < 8
			switch in.op {
			case opTarget, opBranch:
				ok = kind == "TB"[in.op-opTarget]
				slot++
			case opUmulh, opSmulh:
				ok = ok && kind == 'W'
				slot++
			case opMul:
				ok = ok && kind == 'M'
			case opAddC, opXorC, opRor:
				ok = in.dst < 8 && kind == 'A' && in.imm != 0
			default:
				ok = ok && kind == 'A' && in.src != in.dst
			}
			slot++
			if !ok {
				t.Fatalf("seed %d, instruction %d of kind %c: %+v", seed, i, kind, in)
			}
		}
	}
	if rejected > 10 {
		t.Errorf("%d of 3000 seeds gave no program", rejected)
	}
}

func TestSmulh(t *testing.T) {
	for _, tt := range []struct{ a, b, want int64 }{
		{1, 1, 0}, {-1, 1, -1}, {-1, -1, 0}, {1 << 62, 4, 1}, {-1 << 63, -1 << 63, 1 << 62}, {-1 << 63, 1<<63 - 1, -1 << 62},
	} {
		if got := int64(smulh(uint64(tt.a), uint64(tt.b))); got != tt.want {
			t.Errorf("%d * %d: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func BenchmarkReset(b *testing.B) {
	var p Program
	b.ReportAllocs()
	for b.Loop() {
		p.Reset([]byte("abc"))
	}
}

func BenchmarkHash8(b *testing.B) {
	p := mustNew(b, []byte("abc"))
	var in, out [Lanes]uint64
	b.ReportAllocs()
	for b.Loop() {
		for l := range in {
			in[l]++
		}
		p.Hash8(&in, &out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/Lanes, "ns/hash")
}

// memory gets memory for compiled programs, or skips the test where there is none.
func memory(tb testing.TB) Memory {
	tb.Helper()
	m, err := execmem.New(MaxCode)
	if err != nil || !canCompile {
		tb.Skipf("programs cannot be compiled here: %v", err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// compilers are Funcs of each kind of code that there is for this processor.
func compilers(tb testing.TB) map[string]*Func {
	tb.Helper()
	f := NewFunc(memory(tb))
	f.wide = false
	list := map[string]*Func{"one lane": f}
	if hasWide {
		list["many lanes"] = NewFunc(memory(tb))
	}
	return list
}

// The compiled program and the interpreter give the same.
func TestCompiled(t *testing.T) {
	for name, f := range compilers(t) {
		t.Run(name, func(t *testing.T) { testCompiled(t, f) })
	}
}

func testCompiled(t *testing.T, f *Func) {
	slow := NewFunc(nil)
	if !f.Compiles() || slow.Compiles() {
		t.Fatal("not compiled where it should be, or the other way around")
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		seed := binary.LittleEndian.AppendUint64(nil, rnd.Uint64())
		if err := errors.Join(f.Reset(seed), slow.Reset(seed)); err != nil {
			continue
		}
		first := rnd.Uint64() >> (rnd.Uint32() % 64)
		var got, want [64]uint64
		f.Range(first, got[:])
		slow.Range(first, want[:])
		if got != want || len(f.code) > MaxCode {
			t.Fatalf("seed %x, from %d on: got %x, want %x; %d bytes of code", seed, first, got, want, len(f.code))
		}
	}
	for _, n := range []int{0, 1, 15, 16, 17, 31, 33} {
		got, want := make([]uint64, n), make([]uint64, n)
		f.Range(7, got)
		slow.Range(7, want)
		if !slices.Equal(got, want) {
			t.Errorf("%d hashes: got %x, want %x", n, got, want)
		}
	}
	v := load(t)
	for _, c := range v.Short {
		var got [wideLanes]uint64
		if err := f.Reset([]byte(c.Seed)); err != nil {
			t.Fatal(err)
		}
		if f.Range(c.Input, got[:]); got[0] != binary.LittleEndian.Uint64(c.Want) {
			t.Errorf("seed %q, input %d: got %x, want %x", c.Seed, c.Input, got, c.Want)
		}
	}
}

func FuzzCompiled(f *testing.F) {
	compiled, slow := compilers(f), NewFunc(nil)
	f.Add([]byte("abc"), uint64(0))
	f.Add([]byte{}, ^uint64(0))
	f.Fuzz(func(t *testing.T, seed []byte, first uint64) {
		err := slow.Reset(seed)
		var got, want [wideLanes]uint64
		slow.Range(first, want[:])
		for name, c := range compiled {
			if err2 := c.Reset(seed); err != err2 {
				t.Errorf("%s: error %v, want %v", name, err2, err)
			} else if err != nil {
				continue
			}
			if c.Range(first, got[:]); got != want {
				t.Errorf("%s: got %x, want %x", name, got, want)
			}
		}
	})
}

// noMemory is what a system gives that forbids executable memory.
type noMemory struct{}

func (noMemory) Load([]byte) (uintptr, error) { return 0, errors.New("permission denied") }

func TestFallback(t *testing.T) {
	f := NewFunc(noMemory{})
	for range 2 {
		if err := f.Reset([]byte("abc")); err != nil || f.Compiles() {
			t.Fatalf("error %v, compiles %v", err, f.Compiles())
		}
	}
	for _, n := range []int{0, 1, 7, 8, 9, 30} {
		out := make([]uint64, n)
		f.Range(5, out)
		for i := range out {
			if want := mustNew(t, []byte("abc")).Hash(5 + uint64(i)); out[i] != binary.LittleEndian.Uint64(want[:]) {
				t.Errorf("hash %d of %d: got %x, want %x", i, n, out[i], want)
			}
		}
	}
}

// Compiled code runs outside of what the runtime knows. It must stand signals, garbage collection and stacks that move.
func TestCompiledUnderStress(t *testing.T) {
	for name, f := range compilers(t) {
		t.Run(name, func(t *testing.T) { testStress(t, f) })
	}
}

func testStress(t *testing.T, f *Func) {
	if err := f.Reset([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	var want [256]uint64
	f.Range(0, want[:])
	for range 200 {
		done := make(chan [256]uint64)
		go func() {
			var got [256]uint64
			f.Range(0, got[:])
			done <- got
		}()
		if got := <-done; got != want {
			t.Error("other hashes than before")
		}
	}
	close(stop)
	wg.Wait()
}

func BenchmarkCompile(b *testing.B) {
	for name, f := range compilers(b) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f.Reset([]byte("abc"))
			}
			b.ReportMetric(float64(len(f.code)), "bytes")
		})
	}
}

func BenchmarkCompiled(b *testing.B) {
	for name, f := range compilers(b) {
		b.Run(name, func(b *testing.B) {
			if err := f.Reset([]byte("abc")); err != nil {
				b.Fatal(err)
			}
			var out [256]uint64
			for b.Loop() {
				f.Range(0, out[:])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/hash")
		})
	}
}
