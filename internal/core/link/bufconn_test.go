package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
)

// A script is a socket that serves reads from a list, and keeps what is written.
type script struct {
	net.Conn
	reads  [][]byte
	writes [][]byte
	fail   error // of writes
}

var errBlocked = errors.New("this read would block")

func (s *script) Read(p []byte) (int, error) {
	if len(s.reads) == 0 {
		return 0, errBlocked
	}
	n := copy(p, s.reads[0])
	if s.reads[0] = s.reads[0][n:]; len(s.reads[0]) == 0 {
		s.reads = s.reads[1:]
	}
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	s.writes = append(s.writes, bytes.Clone(p))
	return len(p), nil
}

// record returns a TLS record whose body is n bytes long.
func record(n int) []byte {
	return append([]byte{23, 3, 3, byte(n >> 8), byte(n)}, bytes.Repeat([]byte{0xfe}, n)...)
}

// However the bytes arrive, no Read goes past the end of a record: crypto/tls asks for more than it needs.
func TestBufConnRead(t *testing.T) {
	sizes := []int{1000, 0, 1, 16401, 16401, 514, 65535, 5, 16401, 700, 16401, 16401, 16401, 16401, 3}
	var all []byte
	var ends []int
	for _, n := range sizes {
		all = append(all, record(n)...)
		ends = append(ends, len(all))
	}
	for _, piece := range []int{1, 4, 5, 6, 1460, 4096, len(all)} {
		s := &script{}
		for p := range slices.Chunk(bytes.Clone(all), piece) {
			s.reads = append(s.reads, p)
		}
		b := newBufConn(s)
		var got []byte
		p := make([]byte, 70_000)
		record := 0
		for len(got) < len(all) {
			n, err := b.Read(p[:min(len(p), 5+len(got)%70_000)])
			if err != nil || n == 0 {
				t.Fatalf("pieces of %d, after %d bytes: %d, %v", piece, len(got), n, err)
			}
			got = append(got, p[:n]...)
			if len(got) > ends[record] {
				t.Fatalf("pieces of %d: a Read goes %d bytes past record %d", piece, len(got)-ends[record], record)
			}
			for record < len(ends) && len(got) == ends[record] {
				record++
			}
		}
		if !bytes.Equal(got, all) {
			t.Errorf("pieces of %d: other bytes", piece)
		}
		if _, err := b.Read(p); err != errBlocked {
			t.Errorf("at the end: %v", err)
		}
	}
}

// RecordReady promises that reading one more record will not block.
func TestRecordReady(t *testing.T) {
	for _, c := range []struct {
		name string
		rest []byte // behind a record that has been read
		want bool
	}{
		{"nothing", nil, false},
		{"part of a header", record(600)[:4], false},
		{"a header", record(600)[:5], false},
		{"all but a byte", record(600)[:604], false},
		{"a record", record(600), true},
		{"a record and more", append(record(600), 23, 3), true},
		{"the longest", record(16640), true},
		{"an alert", record(19), false},
		{"an alert and a record", append(record(19), record(600)...), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{reads: [][]byte{append(record(100), c.rest...)}}
			b := newBufConn(s)
			if b.recordReady() {
				t.Error("ready before the first Read")
			}
			p := make([]byte, 40)
			for n := 0; n < 105; {
				m, err := b.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				if n += m; n < 105 && b.recordReady() {
					t.Error("ready in the middle of a record")
				}
			}
			if got := b.recordReady(); got != c.want {
				t.Errorf("ready: %v", got)
			}
			if !c.want {
				return
			}
			for n := 0; n < recordLen(c.rest); {
				m, err := b.Read(p)
				if err != nil {
					t.Fatalf("after %d bytes: %v", n, err)
				}
				n += m
			}
		})
	}
}

func TestBufConnReadError(t *testing.T) {
	s := &script{reads: [][]byte{record(10)[:7]}}
	b := newBufConn(s)
	p := make([]byte, 100)
	if n, err := b.Read(p); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := b.Read(p); n != 0 || err != errBlocked {
		t.Errorf("%d, %v", n, err)
	}
}

func TestBufConnWrite(t *testing.T) {
	s := &script{}
	b := newBufConn(s)
	write := func(n int) {
		t.Helper()
		if m, err := b.Write(make([]byte, n)); m != n || err != nil {
			t.Errorf("wrote %d of %d: %v", m, n, err)
		}
	}
	sizes := func(want ...int) {
		t.Helper()
		var got []int
		for _, w := range s.writes {
			got = append(got, len(w))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the socket got %v, want %v", got, want)
		}
	}
	write(10)
	sizes(10)
	b.cork()
	for range 3 {
		write(16 << 10)
	}
	sizes(10)
	write(16 << 10)
	sizes(10)
	write(5)
	sizes(10, 64<<10)
	if err := b.flush(); err != nil {
		t.Error(err)
	}
	sizes(10, 64<<10, 5)
	if err := b.flush(); err != nil {
		t.Error(err)
	}
	write(1)
	sizes(10, 64<<10, 5, 1)

	s.fail = io.ErrClosedPipe
	if _, err := b.Write([]byte{1}); err != io.ErrClosedPipe {
		t.Errorf("Write: %v", err)
	}
	b.cork()
	write(1)
	if _, err := b.Write(make([]byte, ioBufLen)); err != io.ErrClosedPipe {
		t.Errorf("Write that fills the buffer: %v", err)
	}
	b.cork()
	write(1)
	if err := b.flush(); err != io.ErrClosedPipe {
		t.Errorf("flush: %v", err)
	}
}

// A waiting is a script that notes what its bufConn held when it was asked to wait.
type waiting struct {
	script
	b     *bufConn
	holds []bool
	fail  error
}

func (w *waiting) WaitReadable() error {
	w.holds = append(w.holds, w.b.in != nil)
	return w.fail
}

// Nothing is held for a socket that has nothing to read, and await returns with a whole record.
func TestAwait(t *testing.T) {
	long := append(record(16640), record(300)...)
	for _, c := range []struct {
		name  string
		reads [][]byte
		holds []bool // at each wait
		err   bool   // the Read after that would block
	}{
		{"a record", [][]byte{record(600)}, []bool{false}, false},
		{"an alert", [][]byte{record(19)}, []bool{false}, false},
		{"in two parts", [][]byte{record(600)[:100], record(600)[100:]}, []bool{false, true}, false},
		{"a header first", [][]byte{record(600)[:3], record(600)[3:5], record(600)[5:]}, []bool{false, true, true}, false},
		{"the longest", [][]byte{long[:16000], long[16000:]}, []bool{false, true}, false},
		{"too long for any", [][]byte{{23, 3, 3, 0xff, 0xff, 1}}, []bool{false}, false},
		{"the socket fails", nil, []bool{false}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &waiting{script: script{reads: append([][]byte{record(50)}, c.reads...)}}
			w.b = newBufConn(w)
			p := make([]byte, 70_000)
			if n, err := w.b.Read(p); n != 55 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if err := w.b.await(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.holds, c.holds) {
				t.Errorf("held %v, want %v", w.holds, c.holds)
			}
			if _, err := w.b.Read(p); (err != nil) != c.err {
				t.Errorf("Read: %v", err)
			}
			if left := len(w.reads); left != 0 {
				t.Errorf("%d reads left", left)
			}
		})
	}
	t.Run("a full buffer", func(t *testing.T) { // there is more for sure
		w := &waiting{script: script{reads: [][]byte{bytes.Repeat(record(251), 256)}}}
		w.b = newBufConn(w)
		p := make([]byte, 1000)
		for range 256 {
			if _, err := w.b.Read(p); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.b.await(); err != nil || len(w.holds) != 0 {
			t.Errorf("waited %d times, %v", len(w.holds), err)
		}
	})
	t.Run("a deadline", func(t *testing.T) {
		w := &waiting{fail: errBlocked}
		w.b = newBufConn(w)
		if err := w.b.await(); err != errBlocked {
			t.Error(err)
		}
	})
}
