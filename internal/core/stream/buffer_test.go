package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The buffer is a queue of bytes, whatever the sizes of what goes in and comes out.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{10, 20, 30})
	f.Add(bytes.Repeat([]byte{249, 5}, 100))
	f.Add([]byte{255, 255, 255, 255, 0, 1, 2, 255, 3})
	f.Fuzz(func(t *testing.T, events []byte) {
		const most = blockLen + 1000
		noise := make([]byte, 1<<16)
		rand.NewChaCha8([32]byte{1}).Read(noise)
		var b buffer
		var model []byte
		for i, ev := range events[:min(len(events), 100)] {
			n := int(ev) * most / 255
			switch i % 4 {
			case 0, 1:
				p := noise[int(ev)*50:][:n]
				b.write(p)
				model = append(model, p...)
			case 2:
				p := make([]byte, n)
				m := b.read(p)
				if m != min(n, len(model)) || !bytes.Equal(p[:m], model[:m]) {
					t.Fatalf("read %d of %d, there were %d", m, n, len(model))
				}
				model = model[m:]
			case 3:
				k := b.take()
				if (k == nil) != (len(model) == 0) {
					t.Fatalf("took %v, there were %d", k, len(model))
				}
				if k != nil {
					if !bytes.HasPrefix(model, k.bytes()) {
						t.Fatal("took other bytes")
					}
					model = model[len(k.bytes()):]
					k.recycle()
				}
			}
			if b.size != len(model) {
				t.Fatalf("size %d, want %d", b.size, len(model))
			}
			if (b.head == nil) != (b.tail == nil) || b.head == nil && b.size != 0 {
				t.Fatal("head and tail do not agree")
			}
		}
		b.reset()
		if b.size != 0 || b.head != nil || b.tail != nil {
			t.Fatal("something is left after reset")
		}
	})
}

func BenchmarkBuffer(b *testing.B) {
	var q buffer
	in, out := make([]byte, 498), make([]byte, 498*33)
	b.SetBytes(int64(len(out)))
	b.ReportAllocs()
	for b.Loop() {
		for range 33 {
			q.write(in)
		}
		q.read(out)
	}
}

// TestBufferReuse gives a block that was used back and gets it, perhaps, again: it must look new.
func TestBufferReuse(t *testing.T) {
	for range 100 {
		var b buffer
		p := make([]byte, rand.IntN(3*blockLen)+1)
		b.write(p)
		b.read(p[:len(p)/2])
		b.reset()
		b.write([]byte("x"))
		if k := b.take(); string(k.bytes()) != "x" {
			t.Fatalf("got %q", k.bytes())
		}
	}
}
