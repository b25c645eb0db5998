package cell

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

// https://spec.torproject.org/tor-spec/cell-packet-format.html
const framingSpec = "https://spec.torproject.org/tor-spec/cell-packet-format.html"

// pad pads a fixed cell with zeros to its length on a link of protocol 4 or 5.
func pad(b []byte) []byte { return append(b, make([]byte, 514-len(b))...) }

func TestFraming(t *testing.T) {
	for _, c := range []struct {
		name  string
		proto uint16
		bytes []byte
		want  Cell
	}{
		{"versions first", 0, wiretest.Unhex("0000 07 0006 0003 0004 0005"),
			Cell{0, CmdVersions, wiretest.Unhex("0003 0004 0005")}},
		{"vpadding first", 0, wiretest.Unhex("0000 80 0000"), Cell{0, CmdVPadding, nil}},
		{"authorize first", 0, wiretest.Unhex("0000 84 0001 ff"), Cell{0, CmdAuthorize, []byte{0xff}}},
		{"narrow", 3, append(wiretest.Unhex("8001 04 09"), make([]byte, 508)...), Cell{0x8001, CmdDestroy, []byte{9}}},
		{"padding", 4, pad(nil), Cell{0, CmdPadding, nil}},
		{"unknown variable", 4, wiretest.Unhex("12345678 ff 0019 7765206c697374656e20726f756e642074686520636c6f636b"),
			Cell{0x12345678, 255, []byte("we listen round the clock")}},
		{"relay", 5, pad(wiretest.Unhex("20201122 03 666f72206120636f64652063616c6c656420706561636574696d65")),
			Cell{0x20201122, CmdRelay, []byte("for a code called peacetime")}},
		{"versions later", 5, wiretest.Unhex("00000000 07 0002 0004"), Cell{0, CmdVersions, []byte{0, 4}}},
		{"longest", 5, append(wiretest.Unhex("00000000 81 ffff"), make([]byte, 0xffff)...),
			Cell{0, CmdCerts, make([]byte, MaxVariableLen)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := FramingFor(c.proto)
			for n := range c.bytes {
				if got, used, err := f.Next(c.bytes[:n]); got.Body != nil || used != 0 || err != nil {
					t.Fatalf("%d of %d bytes: got %v, %d, %v\nwant nothing yet\nsee %s", n, len(c.bytes), got, used, err, framingSpec)
				}
			}
			got, n, err := f.Next(append(c.bytes, "next"...))
			if err != nil || n != len(c.bytes) || got.Circ != c.want.Circ || got.Cmd != c.want.Cmd {
				t.Fatalf("got %v, %d, %v\nwant %v, %d\nsee %s", got, n, err, c.want, len(c.bytes), framingSpec)
			}
			body := c.want.Body
			if !c.want.Cmd.IsVariable() {
				body = append(body, make([]byte, BodyLen-len(body))...)
			}
			if !bytes.Equal(got.Body, body) || cap(got.Body) != len(body) {
				t.Errorf("got body %x with room for %d\nwant %x", got.Body, cap(got.Body), body)
			}
			b, err := f.AppendCell([]byte("before"), c.want)
			if err != nil || !bytes.Equal(b, append([]byte("before"), c.bytes...)) {
				t.Errorf("encoded as %x, %v\nwant %x", b, err, c.bytes)
			}
		})
	}
}

func TestLengths(t *testing.T) {
	for proto, want := range map[uint16][2]int{0: {3, 512}, 3: {3, 512}, 4: {5, 514}, 5: {5, 514}} {
		f := FramingFor(proto)
		if got := [2]int{f.HeaderLen(), f.FixedLen()}; got != want {
			t.Errorf("protocol %d: header and cell of %d bytes, want %d\nsee %s", proto, got, want, framingSpec)
		}
	}
	if FramingFor(0) != (Framing{}) {
		t.Error("the zero Framing is not the one before VERSIONS")
	}
}

// "The first cell must be VERSIONS, VPADDING, or AUTHORIZE."
// https://spec.torproject.org/tor-spec/negotiating-channels.html
func TestBeforeVersions(t *testing.T) {
	for cmd := range 256 {
		_, _, err := FramingFor(0).Next([]byte{0, 0, byte(cmd)})
		switch Command(cmd) {
		case CmdVersions, CmdVPadding, CmdAuthorize:
			if err != nil {
				t.Errorf("%v: %v", Command(cmd), err)
			}
		default:
			if !errors.Is(err, ErrBeforeVersions) {
				t.Errorf("%v: got %v, want %v", Command(cmd), err, ErrBeforeVersions)
			}
		}
	}
}

func TestAppendCellRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		proto uint16
		cell  Cell
	}{
		{"wide id on a narrow link", 3, Cell{Circ: 0x10000, Cmd: CmdRelay}},
		{"fixed body", 4, Cell{Cmd: CmdRelay, Body: make([]byte, BodyLen+1)}},
		{"variable body", 4, Cell{Cmd: CmdCerts, Body: make([]byte, MaxVariableLen+1)}},
	} {
		if b, err := FramingFor(c.proto).AppendCell(nil, c.cell); !errors.Is(err, ErrTooLong) || b != nil {
			t.Errorf("%s: got %x, %v\nwant %v", c.name, b, err, ErrTooLong)
		}
	}
}

func TestPutHeaderPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a wide circuit id went onto a narrow link")
		}
	}()
	FramingFor(3).PutHeader(make([]byte, 3), 0x10000, CmdRelay)
}

func TestFramingDoesNotAllocate(t *testing.T) {
	f := FramingFor(5)
	buf := make([]byte, f.FixedLen())
	if n := testing.AllocsPerRun(100, func() {
		f.PutHeader(buf, 0x80000001, CmdRelay)
		if c, n, err := f.Next(buf); c.Circ != 0x80000001 || n != len(buf) || err != nil {
			t.Fatal(c, n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per cell", n)
	}
}

// FuzzNext cuts bytes into cells and puts them together again.
func FuzzNext(f *testing.F) {
	f.Add(uint16(0), wiretest.Unhex("0000 07 0006 0003 0004 0005"))
	f.Add(uint16(3), wiretest.Unhex("0000 82 0000 0000 80 0001 ff"))
	f.Add(uint16(5), pad(wiretest.Unhex("20201122 03 666f72")))
	f.Add(uint16(4), wiretest.Unhex("00000000 81 0003 1234"))
	f.Fuzz(func(t *testing.T, proto uint16, buf []byte) {
		framing := FramingFor(proto)
		for {
			c, n, err := framing.Next(buf)
			if n == 0 {
				return
			}
			if err != nil {
				t.Fatalf("%d bytes used and error %v", n, err)
			}
			b, err := framing.AppendCell(nil, c)
			if err != nil || !bytes.Equal(b, buf[:n]) {
				t.Fatalf("%x cut as %v, encoded as %x, %v", buf[:n], c, b, err)
			}
			buf = buf[n:]
		}
	})
}

func BenchmarkNext(b *testing.B) {
	f := FramingFor(5)
	var buf []byte
	for id := range CircID(127) {
		buf, _ = f.AppendCell(buf, Cell{Circ: id, Cmd: CmdRelay})
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := buf; len(rest) > 0; {
			_, n, err := f.Next(rest)
			if n == 0 || err != nil {
				b.Fatal(n, err)
			}
			rest = rest[n:]
		}
	}
}
