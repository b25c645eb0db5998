package execmem

import (
	"bytes"
	"errors"
	"testing"
	"unsafe"
)

// block gets memory, or skips the test where there is none.
func block(tb testing.TB, size int) *Memory {
	tb.Helper()
	m, err := New(size)
	if err != nil {
		tb.Skipf("no executable memory here: %v", err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

func TestLoad(t *testing.T) {
	m := block(t, 100)
	for _, code := range [][]byte{bytes.Repeat([]byte{0xc3}, 10), bytes.Repeat([]byte{0x90}, 4096), {1}, nil} {
		entry, err := m.Load(code)
		if err != nil {
			t.Fatal(err)
		}
		if got := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&entry))), len(code)); !bytes.Equal(got, code) {
			t.Errorf("got %x, want %x", got, code)
		}
	}
	if _, err := m.Load(make([]byte, 1<<20)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: error %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Load([]byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: error %v", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := (*Memory)(nil).Load([]byte{1}); err == nil {
		t.Error("loaded without memory")
	}
}

func BenchmarkLoad(b *testing.B) {
	m := block(b, 8192)
	code := make([]byte, 5000)
	for b.Loop() {
		if _, err := m.Load(code); err != nil {
			b.Fatal(err)
		}
	}
}
