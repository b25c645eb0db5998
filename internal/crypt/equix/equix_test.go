package equix

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/hashx"
	"github.com/tropea-net/tropea/internal/lib/execmem"
)

const spec = "https://spec.torproject.org/hspow-spec/v1-equix.html"

//go:embed testdata/equix.json
var vectorJSON []byte

// index is an index that is written in hexadecimal in JSON.
type index uint16

func (i *index) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 16, 16)
	*i = index(n)
	return err
}

type vector struct {
	Challenge string     `json:"challenge_ascii"`
	Solutions [][8]index `json:"solutions"`
}

func load(tb testing.TB) []vector {
	tb.Helper()
	var v struct {
		Equix []vector `json:"equix"`
	}
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		tb.Fatal(err)
	}
	return v.Equix
}

// memory gets memory for compiled programs; nil where there is none.
func memory(tb testing.TB) hashx.Memory {
	m, err := execmem.New(hashx.MaxCode)
	if err != nil {
		return nil
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// C tor's test_crypto_equix. The order of the solutions is part of it: it tells that the tables are the same.
func TestVectors(t *testing.T) {
	for _, mem := range []hashx.Memory{nil, memory(t)} {
		s := NewSolver(mem)
		var p hashx.Program
		all := load(t)
		if !s.Compiles() {
			all = all[len(all)-2:] // it takes its time under the race detector
		}
		for _, v := range all {
			t.Run(fmt.Sprintf("%q compiled %v", v.Challenge, s.Compiles()), func(t *testing.T) {
				got, err := s.Solve([]byte(v.Challenge))
				if err != nil || len(got) != len(v.Solutions) {
					t.Fatalf("got %x, error %v, want %x\nsee %s", got, err, v.Solutions, spec)
				}
				for i, want := range v.Solutions {
					for j := range want {
						if got[i][j] != uint16(want[j]) {
							t.Fatalf("solution %d: got %x, want %x", i, got[i], want)
						}
					}
					if err := Verify(&p, []byte(v.Challenge), &got[i]); err != nil {
						t.Errorf("solution %d does not verify: %v", i, err)
					}
					b := got[i].Bytes()
					if again := Parse(&b); again != got[i] {
						t.Errorf("%x became %x", got[i], again)
					}
				}
			})
		}
	}
}

func TestVerify(t *testing.T) {
	const challenge = "abc"
	good := Solution{0x371f, 0x8865, 0x8189, 0xfbc3, 0x26df, 0xe4c0, 0xab39, 0xfe5a}
	edit := func(change func(*Solution)) Solution {
		s := good
		change(&s)
		return s
	}
	var p hashx.Program
	for _, tt := range []struct {
		name      string
		challenge string
		s         Solution
		want      error
	}{
		{"good", challenge, good, nil},
		{"zeros", challenge, Solution{}, ErrSum},
		{"another challenge", "abd", good, ErrSum},
		{"one index changed", challenge, edit(func(s *Solution) { s[0]++ }), ErrSum},
		{"indices swapped", challenge, edit(func(s *Solution) { s.swap(0, 1) }), ErrOrder},
		{"pairs swapped", challenge, edit(func(s *Solution) { s.swap(4, 2) }), ErrOrder},
		{"quads swapped", challenge, edit(func(s *Solution) { s.swap(0, 4) }), ErrOrder},
		{"pairs exchanged between quads", challenge, Solution{good[0], good[1], good[4], good[5], good[2], good[3], good[6], good[7]}, ErrSum},
	} {
		if err := Verify(&p, []byte(tt.challenge), &tt.s); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v\nsee %s", tt.name, err, tt.want, spec)
		}
	}
	// Any order of a solution becomes the one.
	s := good
	s.swap(2, 1)
	s.swap(4, 2)
	s.swap(0, 4)
	if s.order(); s != good {
		t.Errorf("put in order: got %x, want %x", s, good)
	}
}

// rejected is a seed that gives no program.
var rejected = []byte{0xf9, 5, 0, 0}

func TestRejectedSeed(t *testing.T) {
	var p hashx.Program
	if err := Verify(&p, rejected, &Solution{}); !errors.Is(err, hashx.ErrSeed) {
		t.Errorf("verification: got %v", err)
	}
	s := NewSolver(nil)
	if got, err := s.Solve(rejected); !errors.Is(err, hashx.ErrSeed) || got != nil {
		t.Errorf("solver: got %v, error %v", got, err)
	}
	if got, err := s.Solve([]byte("abc")); err != nil || len(got) != 2 {
		t.Errorf("after that: got %v, error %v", got, err)
	}
}

// Solutions of random challenges verify, and are about two each.
func TestSolve(t *testing.T) {
	s := NewSolver(memory(t))
	var p hashx.Program
	n, sum := 20, 0
	if !s.Compiles() {
		n = 3
	}
	for i := range n {
		challenge := binary.LittleEndian.AppendUint64([]byte("challenge"), uint64(i))
		found, err := s.Solve(challenge)
		if errors.Is(err, hashx.ErrSeed) {
			continue
		}
		for _, sol := range found {
			if err := Verify(&p, challenge, &sol); err != nil {
				t.Errorf("challenge %d: %x: %v", i, sol, err)
			}
		}
		sum += len(found)
		slices.SortFunc(found, func(a, b Solution) int { x, y := a.Bytes(), b.Bytes(); return bytes.Compare(x[:], y[:]) })
		if len(slices.Compact(found)) != len(found) {
			t.Errorf("challenge %d: a solution twice: %x", i, found)
		}
	}
	if sum < n/2 || sum > 4*n {
		t.Errorf("%d solutions of %d challenges", sum, n)
	}
}

func FuzzVerify(f *testing.F) {
	good := Solution{0x371f, 0x8865, 0x8189, 0xfbc3, 0x26df, 0xe4c0, 0xab39, 0xfe5a}
	b := good.Bytes()
	f.Add([]byte("abc"), b[:])
	f.Add([]byte{}, make([]byte, Len))
	f.Fuzz(func(t *testing.T, challenge, solution []byte) {
		if len(solution) != Len {
			return
		}
		var p hashx.Program
		s := Parse((*[Len]byte)(solution))
		if err := Verify(&p, challenge, &s); err == nil {
			if s.order(); s.Bytes() != [Len]byte(solution) {
				t.Errorf("%x verifies and is not in order", solution)
			}
		}
	})
}

func benchmarkSolve(b *testing.B, mem hashx.Memory, compiled bool) {
	s := NewSolver(mem)
	if s.Compiles() != compiled {
		b.Skip("programs cannot be compiled here")
	}
	i := uint64(0)
	for b.Loop() {
		s.Solve(binary.LittleEndian.AppendUint64(nil, i))
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "solves/s")
}

func BenchmarkSolveCompiled(b *testing.B)    { benchmarkSolve(b, memory(b), true) }
func BenchmarkSolveInterpreted(b *testing.B) { benchmarkSolve(b, nil, false) }

func BenchmarkVerify(b *testing.B) {
	good := Solution{0x371f, 0x8865, 0x8189, 0xfbc3, 0x26df, 0xe4c0, 0xab39, 0xfe5a}
	var p hashx.Program
	b.ReportAllocs()
	for b.Loop() {
		if err := Verify(&p, []byte("abc"), &good); err != nil {
			b.Fatal(err)
		}
	}
}
