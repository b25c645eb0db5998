package hspow

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/crypt/equix"
	"github.com/tropea-net/tropea/internal/crypt/hashx"
	"github.com/tropea-net/tropea/internal/lib/execmem"
	"github.com/tropea-net/tropea/internal/wire/circext"
)

const spec = "https://spec.torproject.org/hspow-spec/v1-equix.html"

//go:embed testdata/pow.json
var vectorJSON []byte

// hexBytes is a byte string that is written in hexadecimal in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vector struct {
	Name     string   `json:"name"`
	Effort   uint32   `json:"effort"`
	First    hexBytes `json:"solver_first_nonce"`
	Seed     hexBytes `json:"seed"`
	SeedHead hexBytes `json:"seed_head"`
	Blinded  hexBytes `json:"blinded_id"`
	Nonce    hexBytes `json:"nonce"`
	Solution hexBytes `json:"solution"`
	Expect   string   `json:"expect"`
}

func (v vector) proof() circext.ProofOfWork {
	seedHead := v.SeedHead
	if seedHead == nil {
		seedHead = v.Seed[:4]
	}
	return circext.ProofOfWork{Nonce: [16]byte(v.Nonce), Effort: v.Effort, SeedHead: [4]byte(seedHead), Solution: [16]byte(v.Solution)}
}

func load(tb testing.TB) (solve, verify []vector) {
	tb.Helper()
	var v struct {
		Solve  []vector `json:"hs_pow"`
		Verify []vector `json:"hs_pow_verify"`
	}
	if err := json.Unmarshal(vectorJSON, &v); err != nil {
		tb.Fatal(err)
	}
	return v.Solve, v.Verify
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

// verifier is one with a given seed.
func verifier(tb testing.TB, blinded, seed []byte) *Verifier {
	tb.Helper()
	v, err := NewVerifier(bytes.NewReader(seed), [32]byte(blinded))
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// C tor's test_hs_pow_vectors: from a certain nonce on, the solver finds a certain proof.
func TestSolve(t *testing.T) {
	solve, _ := load(t)
	s := NewSolver(memory(t))
	for i, v := range solve {
		s.Start([32]byte(v.Blinded), [32]byte(v.Seed), v.Effort, [16]byte(v.First))
		got, ok := s.Step(160)
		if want := v.proof(); !ok || got != want {
			t.Errorf("%d: got %+v, %v, want %+v\nsee %s", i, got, ok, want, spec)
		}
		if err := verifier(t, v.Blinded, v.Seed).Check(got); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// Arti's pow_v1_vectors.rs.
func TestVerify(t *testing.T) {
	_, verify := load(t)
	want := map[string]error{"ok": nil, "error: HashSum": equix.ErrSum, "error: Effort": ErrEffort, "error: Seed": ErrSeed}
	for _, v := range verify {
		wantErr, known := want[v.Expect]
		if !known {
			t.Fatalf("%s: expectation %q", v.Name, v.Expect)
		}
		if err := verifier(t, v.Blinded, v.Seed).Check(v.proof()); !errors.Is(err, wantErr) {
			t.Errorf("%s: got %v, want %v\nsee %s", v.Name, err, wantErr, spec)
		}
	}
}

func good(tb testing.TB) vector {
	_, verify := load(tb)
	for _, v := range verify {
		if v.Name == "verify_effort1m_ok" {
			return v
		}
	}
	tb.Fatal("vector is not there")
	return vector{}
}

func TestReplay(t *testing.T) {
	g := good(t)
	v := verifier(t, g.Blinded, g.Seed)
	p := g.proof()
	bad := p
	bad.Solution[0] ^= 1
	if err := v.Check(bad); err == nil {
		t.Error("bad solution accepted")
	}
	// A bad proof does not spoil a good one with the same nonce.
	if err := v.Check(p); err != nil {
		t.Fatal(err)
	}
	for name, again := range map[string]circext.ProofOfWork{"the same": p, "with another solution": bad} {
		if err := v.Check(again); !errors.Is(err, ErrReplay) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := v.Rotate(rand.Reader); err != nil || v.Seed() == [32]byte(g.Seed) {
		t.Fatalf("seed %x, error %v", v.Seed(), err)
	}
	if err := v.Check(p); !errors.Is(err, ErrReplay) {
		t.Errorf("after a rotation: got %v", err)
	}
	if err := v.Rotate(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if err := v.Check(p); !errors.Is(err, ErrSeed) || len(v.used) != 0 {
		t.Errorf("after two rotations: got %v, %d proofs remembered", err, len(v.used))
	}

	v = verifier(t, g.Blinded, g.Seed)
	if err := v.Rotate(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if err := v.Check(p); err != nil {
		t.Errorf("proof for the seed before: %v", err)
	}
	other := verifier(t, bytes.Repeat([]byte{9}, 32), g.Seed)
	if err := other.Check(p); err == nil {
		t.Error("proof for another service accepted")
	}
}

func TestRotate(t *testing.T) {
	seed := strings.Repeat("a", 32)
	// The head must differ from those that are known.
	v, err := NewVerifier(strings.NewReader(seed), [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Rotate(strings.NewReader(seed[:31] + "bcdef" + strings.Repeat("x", 28))); err != nil || head(v.Seed()) == [4]byte([]byte("aaaa")) {
		t.Errorf("seed %q, error %v", v.Seed(), err)
	}
	if err := v.Rotate(strings.NewReader("short")); err == nil {
		t.Error("seed without randomness")
	}
	if _, err := NewVerifier(strings.NewReader(""), [32]byte{}); err == nil {
		t.Error("verifier without randomness")
	}
}

func TestNextNonce(t *testing.T) {
	var c challenge
	c[nonceAt], c[nonceAt+1] = 0xff, 0xff
	c.nextNonce()
	if c[nonceAt] != 0 || c[nonceAt+1] != 0 || c[nonceAt+2] != 1 {
		t.Errorf("got %x", c[nonceAt:])
	}
	for i := range nonceLen {
		c[nonceAt+i] = 0xff
	}
	if c.nextNonce(); c != (challenge{}) {
		t.Errorf("greatest nonce: got %x", c)
	}
}

func TestEffort(t *testing.T) {
	for _, tt := range []struct{ suggested, want uint32 }{{0, 0}, {1, 1}, {10000, 10000}, {10001, 10000}, {1<<32 - 1, 10000}} {
		if got := FirstEffort(tt.suggested); got != tt.want {
			t.Errorf("first for %d: got %d, want %d", tt.suggested, got, tt.want)
		}
	}
	for _, tt := range []struct{ last, want uint32 }{
		{0, 8}, {1, 8}, {4, 8}, {5, 10}, {999, 1998}, {1000, 1500}, {1001, 1501}, {9000, 10000}, {10000, 10000}, {1<<32 - 1, 10000},
	} {
		if got := NextEffort(tt.last); got != tt.want {
			t.Errorf("next after %d: got %d, want %d", tt.last, got, tt.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	g := good(f)
	v := verifier(f, g.Blinded, g.Seed)
	f.Add(g.proof().Extension().Body)
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := circext.ParseProofOfWork(body)
		if err != nil {
			return
		}
		if err := v.Check(p); err == nil && v.Check(p) == nil {
			t.Errorf("%x is good twice", body)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	g := good(b)
	v := verifier(b, g.Blinded, g.Seed)
	p := g.proof()
	for b.Loop() {
		clear(v.used)
		if err := v.Check(p); err != nil {
			b.Fatal(err)
		}
	}
}
