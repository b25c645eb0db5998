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
	sizes(10, 64<<10)
	write(5)
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
	if _, err := b.Write(make([]byte, writeBufLen)); err != io.ErrClosedPipe {
		t.Errorf("Write that fills the buffer: %v", err)
	}
	b.cork()
	write(1)
	if err := b.flush(); err != io.ErrClosedPipe {
		t.Errorf("flush: %v", err)
	}
}
