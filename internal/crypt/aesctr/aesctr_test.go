package aesctr

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// body is the body of a cell with bytes around it that must stay as they are.
type body struct {
	before [64]byte
	b      [cell.BodyLen]byte
	after  [67]byte
}

// The key expansion of FIPS 197, appendix A.1.
func TestExpand(t *testing.T) {
	if best == standard {
		t.Skip("no backend with keys of its own on this machine")
	}
	var key [KeyLen]byte
	hex.Decode(key[:], []byte("2b7e151628aed2a6abf7158809cf4f3c"))
	var s Stream
	s.Init(&key)
	if got, want := hex.EncodeToString(s.keys[160:]), "d014f9a8c9ee2589e13f0cc8b6630ca6"; got != want {
		t.Errorf("last round key %s, want %s", got, want)
	}
}

// Every backend gives the bytes of the standard library, at every place in a block, in place and not.
func TestBackends(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{1})
	for _, b := range backends() {
		t.Run(b.String(), func(t *testing.T) {
			for range 20 {
				var key [KeyLen]byte
				rnd.Read(key[:])
				block, err := aes.NewCipher(key[:])
				if err != nil {
					t.Fatal(err)
				}
				std := cipher.NewCTR(block, make([]byte, aes.BlockSize))
				var s Stream
				s.init(&key, b)
				for i := range 200 {
					var src, dst body
					rnd.Read(src.b[:])
					rnd.Read(dst.before[:])
					rnd.Read(dst.after[:])
					around := dst
					want := src.b
					std.XORKeyStream(want[:], want[:])
					if i%2 == 0 {
						dst.b = src.b
						s.xorBody(&dst.b, &dst.b, b)
					} else {
						s.xorBody(&dst.b, &src.b, b)
					}
					if dst.b != want {
						t.Fatalf("body %d differs from the standard library's", i)
					}
					if dst.before != around.before || dst.after != around.after {
						t.Fatalf("body %d: bytes around it were written", i)
					}
				}
			}
		})
	}
}

// A stream that is far along goes on over the carry of its counter.
func TestFarAlong(t *testing.T) {
	key := [KeyLen]byte{1, 2, 3}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	const off = 1<<36 - 37 // blocks up to 1<<32 and beyond
	iv := make([]byte, blockLen)
	first := uint64(off / blockLen)
	for i := range 8 {
		iv[15-i] = byte(first >> (8 * i))
	}
	std := cipher.NewCTR(block, iv)
	std.XORKeyStream(make([]byte, off%blockLen), make([]byte, off%blockLen))
	var want [cell.BodyLen]byte
	std.XORKeyStream(want[:], want[:])
	for _, b := range backends() {
		if b == standard {
			continue
		}
		var s Stream
		s.init(&key, b)
		s.off = off
		var got [cell.BodyLen]byte
		s.xorBody(&got, &got, b)
		if got != want {
			t.Errorf("%v: differs from the standard library's", b)
		}
	}
}

func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Stream{}); n > 208 {
		t.Errorf("a Stream takes %d bytes", n)
	}
	if best == standard {
		t.Skip("the standard library's stream allocates")
	}
	var s Stream
	var b [cell.BodyLen]byte
	key := [KeyLen]byte{}
	if n := testing.AllocsPerRun(100, func() { s.Init(&key); s.XORBody(&b, &b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzBackends(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("x"), uint8(3))
	f.Fuzz(func(t *testing.T, k, text []byte, skip uint8) {
		var key [KeyLen]byte
		copy(key[:], k)
		var src [cell.BodyLen]byte
		copy(src[:], text)
		var want [cell.BodyLen]byte
		for i, b := range append([]backend{standard}, backends()...) {
			var s Stream
			s.init(&key, b)
			var got [cell.BodyLen]byte
			for range int(skip) + 1 {
				s.xorBody(&got, &src, b)
			}
			if i == 0 {
				want = got
			} else if !bytes.Equal(got[:], want[:]) {
				t.Fatalf("%v differs from the standard library", b)
			}
		}
	})
}

func BenchmarkXORBody(b *testing.B) {
	for _, k := range backends() {
		b.Run(k.String(), func(b *testing.B) {
			var s Stream
			var body [cell.BodyLen]byte
			s.init(&[KeyLen]byte{1}, k)
			b.SetBytes(cell.BodyLen)
			b.ReportAllocs()
			for b.Loop() {
				s.xorBody(&body, &body, k)
			}
		})
	}
}

func BenchmarkInit(b *testing.B) {
	for _, k := range backends() {
		b.Run(k.String(), func(b *testing.B) {
			var s Stream
			b.ReportAllocs()
			for b.Loop() {
				s.init(&[KeyLen]byte{1}, k)
			}
		})
	}
}
