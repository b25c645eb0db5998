package relaymsg

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const formatSpec = "https://spec.torproject.org/tor-spec/relay-cells.html"

func newPad() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// relayCell is a relay cell that begins with some bytes in hexadecimal and has zeros to its end.
func relayCell(hex string) *[cell.BodyLen]byte {
	var c [cell.BodyLen]byte
	copy(c[:], wiretest.Unhex(hex))
	return &c
}

const zeroTag = "00000000000000000000000000000000"

var formatGood = []struct {
	name   string
	format Format
	hex    string
	want   Msg
}{
	{"v0 DATA", V0, "02 0000 9999 00000000 000c 6e6565642d746f2d6b6e6f77",
		Msg{CmdData, 0x9999, []byte("need-to-know")}},
	{"v0 SENDME of a stream", V0, "05 0000 0001 00000000 0000", Msg{CmdSendme, 1, []byte{}}},
	{"v0 SENDME of the circuit", V0, "05 0000 0000 00000000 0000", Msg{CmdSendme, 0, []byte{}}},
	{"v0 longest", V0, "02 0000 0001 00000000 01f2", Msg{CmdData, 1, make([]byte, 498)}},
	{"v1 DATA", V1, zeroTag + "02 000c 3230 6e6565642d746f2d6b6e6f77", Msg{CmdData, 0x3230, []byte("need-to-know")}},
	{"v1 EXTENDED2", V1, zeroTag + "0f 001f 001d 686f7720646f20796f7520646f20616e64207368616b652068616e6473",
		Msg{CmdExtended2, 0, []byte("\x00\x1dhow do you do and shake hands")}},
	{"v1 SENDME", V1, zeroTag + "05 0017 01 0014 326e64206c656e20697320726564756e64616e74",
		Msg{CmdSendme, 0, []byte("\x01\x00\x142nd len is redundant")}},
	{"v1 longest of a stream", V1, zeroTag + "02 01e8 3231", Msg{CmdData, 0x3231, make([]byte, 488)}},
	{"v1 longest of the circuit", V1, zeroTag + "22 01ea", Msg{CmdIntroduce1, 0, make([]byte, 490)}},
	{"v1 XOFF", V1, zeroTag + "2b 0001 0007 00", Msg{CmdXoff, 7, []byte{0}}},
	{"v1 empty", V1, zeroTag + "0a 0000", Msg{CmdDrop, 0, []byte{}}},
}

func TestFormat(t *testing.T) {
	for _, c := range formatGood {
		t.Run(c.name, func(t *testing.T) {
			want := relayCell(c.hex)
			got, err := c.format.Decode(want)
			if err != nil || got.Cmd != c.want.Cmd || got.Stream != c.want.Stream || !bytes.Equal(got.Body, c.want.Body) {
				t.Fatalf("got %+v, %v\nwant %+v\nsee %s", got, err, c.want, formatSpec)
			}
			if cap(got.Body) != len(got.Body) {
				t.Errorf("the body has room for %d bytes more", cap(got.Body)-len(got.Body))
			}
			// What was in dst before must not shine through.
			encoded := [cell.BodyLen]byte(bytes.Repeat([]byte{0xee}, cell.BodyLen))
			if err := c.format.Encode(&encoded, c.want, newPad()); err != nil {
				t.Fatal(err)
			}
			checkPadding(t, c.format, c.want, &encoded)
			end := c.format.BodyOffset(c.want.Cmd) + len(c.want.Body)
			if !bytes.Equal(encoded[:end], want[:end]) {
				t.Errorf("encoded as %x\nwant %x\nsee %s", encoded[:end], want[:end], formatSpec)
			}
		})
	}
}

// checkPadding tells whether four zero bytes and then bytes of newPad follow m in its cell.
func checkPadding(t *testing.T, f Format, m Msg, body *[cell.BodyLen]byte) {
	t.Helper()
	padding := body[f.BodyOffset(m.Cmd)+len(m.Body):]
	want := make([]byte, len(padding))
	if len(want) > 4 {
		newPad().Read(want[4:])
	}
	if !bytes.Equal(padding, want) {
		t.Errorf("padding is %x\nwant %x\nsee %s", padding, want, formatSpec)
	}
}

// Messages may end within a few bytes of the cell.
func TestPaddingAtTheEnd(t *testing.T) {
	for n := 480; n <= 498; n++ {
		for _, f := range []Format{V0, V1} {
			m := Msg{CmdData, 1, make([]byte, min(n, f.MaxBody(CmdData)))}
			var body [cell.BodyLen]byte
			if err := f.Encode(&body, m, newPad()); err != nil {
				t.Fatal(err)
			}
			checkPadding(t, f, m, &body)
		}
	}
}

var decodeBad = []struct {
	name   string
	format Format
	hex    string
	err    error
}{
	{"v0 too long", V0, "02 0000 9999 12345678 01f3", ErrTooLong},
	{"v0 longest length", V0, "02 0000 9999 12345678 ffff", ErrTooLong},
	{"v0 EXTEND", V0, "06 0000 0000 00000000 0000", ErrObsolete},
	{"v0 EXTENDED", V0, "07 0000 0000 00000000 0000", ErrObsolete},
	{"v1 too long, of a stream", V1, zeroTag + "02 01e9 3231", ErrTooLong},
	{"v1 too long, of the circuit", V1, zeroTag + "0f 01eb", ErrTooLong},
	{"v1 longest length", V1, zeroTag + "02 ffff 3231", ErrTooLong},
	{"v1 without a stream", V1, zeroTag + "02 0001 0000 ff", ErrStreamID},
	{"v1 unknown command", V1, zeroTag + "f0 0000", ErrUnknownCommand},
	{"v1 command 0", V1, "", ErrUnknownCommand},
	{"v1 CONNECT_UDP", V1, zeroTag + "10 0000 0001", ErrUnknownCommand},
	{"v1 EXTEND", V1, zeroTag + "06 0000", ErrObsolete},
	{"v1 EXTENDED", V1, zeroTag + "07 0000", ErrObsolete},
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range decodeBad {
		if m, err := c.format.Decode(relayCell(c.hex)); !errors.Is(err, c.err) || m.Body != nil {
			t.Errorf("%s: got %+v, %v\nwant %v\nsee %s", c.name, m, err, c.err, formatSpec)
		}
	}
}

// "If the RELAY cell is recognized but the relay command is not understood, the cell must be dropped and ignored."
// https://spec.torproject.org/tor-spec/relay-cells.html
func TestUnknownCommandInV0(t *testing.T) {
	m, err := V0.Decode(relayCell("f0 0000 0001 00000000 0000"))
	if err != nil || m.Cmd.Known() {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		format Format
		msg    Msg
		err    error
	}{
		{"v0 DATA without a stream", V0, Msg{Cmd: CmdData}, ErrStreamID},
		{"v1 DATA without a stream", V1, Msg{Cmd: CmdData}, ErrStreamID},
		{"v0 EXTEND2 on a stream", V0, Msg{Cmd: CmdExtend2, Stream: 1}, ErrStreamID},
		{"v1 SENDME on a stream", V1, Msg{Cmd: CmdSendme, Stream: 1}, ErrStreamID},
		{"v0 too long", V0, Msg{CmdData, 1, make([]byte, 499)}, ErrTooLong},
		{"v1 too long, of a stream", V1, Msg{CmdData, 1, make([]byte, 489)}, ErrTooLong},
		{"v1 too long, of the circuit", V1, Msg{CmdExtended2, 0, make([]byte, 491)}, ErrTooLong},
		{"v0 unknown command", V0, Msg{Cmd: 45}, ErrUnknownCommand},
		{"v1 unknown command", V1, Msg{Cmd: 16, Stream: 1}, ErrUnknownCommand},
		{"EXTEND", V0, Msg{Cmd: CmdExtend}, ErrObsolete},
		{"EXTENDED", V1, Msg{Cmd: CmdExtended}, ErrObsolete},
	} {
		body := *relayCell("ff")
		if err := c.format.Encode(&body, c.msg, newPad()); !errors.Is(err, c.err) || body != *relayCell("ff") {
			t.Errorf("%s: got %v\nwant %v and the cell untouched\nsee %s", c.name, err, c.err, formatSpec)
		}
	}
}

// The body may lie in the cell, where it belongs or elsewhere.
func TestEncodeInPlace(t *testing.T) {
	text := []byte("GET / HTTP/1.1\r\n\r\n")
	for _, f := range []Format{V0, V1} {
		var want [cell.BodyLen]byte
		if err := f.Encode(&want, Msg{CmdData, 9, text}, newPad()); err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, 1, f.BodyOffset(CmdData) - 1, f.BodyOffset(CmdData), f.BodyOffset(CmdData) + 1, 400} {
			var got [cell.BodyLen]byte
			n := copy(got[at:], text)
			if err := f.Encode(&got, Msg{CmdData, 9, got[at : at+n]}, newPad()); err != nil || got != want {
				t.Errorf("body at %d: got %x, %v\nwant %x", at, got, err, want)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		format          Format
		cmd             Command
		offset, maxBody int
	}{
		{V0, CmdData, 11, 498},
		{V0, CmdExtended2, 11, 498},
		{V1, CmdData, 21, 488},
		{V1, CmdXon, 21, 488},
		{V1, CmdSendme, 19, 490},
		{V1, CmdIntroduce2, 19, 490},
	} {
		if got, n := c.format.BodyOffset(c.cmd), c.format.MaxBody(c.cmd); got != c.offset || n != c.maxBody {
			t.Errorf("v%d %v: body at %d, up to %d bytes; want %d, %d\nsee %s", c.format, c.cmd, got, n, c.offset, c.maxBody, formatSpec)
		}
	}
	if MaxBody != 498 || MaxHSBody != 490 {
		t.Errorf("got %d and %d, want 498 and 490", MaxBody, MaxHSBody)
	}
}

func TestCommands(t *testing.T) {
	var streams []string
	known := 0
	for i := range 256 {
		c := Command(i)
		if !c.Known() {
			if c.HasStream() || !strings.HasPrefix(c.String(), "relay command ") {
				t.Errorf("unknown command %v: stream %v", c, c.HasStream())
			}
			continue
		}
		known++
		if c.HasStream() {
			streams = append(streams, c.String())
		}
	}
	const want = "BEGIN DATA END CONNECTED RESOLVE RESOLVED BEGIN_DIR XOFF XON"
	if got := strings.Join(streams, " "); got != want || known != 32 {
		t.Errorf("%d commands, of streams %s\nwant 32, %s\nsee %s", known, got, want, formatSpec)
	}
	if CmdXoff != 43 || CmdXon != 44 {
		t.Errorf("XOFF is %d and XON %d, want 43 and 44", CmdXoff, CmdXon)
	}
}

func TestFormatDoesNotAllocate(t *testing.T) {
	pad := newPad()
	for _, f := range []Format{V0, V1} {
		var body [cell.BodyLen]byte
		data := make([]byte, f.MaxBody(CmdData))
		for _, n := range []int{0, 100, len(data)} {
			if allocs := testing.AllocsPerRun(100, func() {
				if err := f.Encode(&body, Msg{CmdData, 1, data[:n]}, pad); err != nil {
					t.Fatal(err)
				}
				if m, err := f.Decode(&body); err != nil || len(m.Body) != n {
					t.Fatal(m, err)
				}
			}); allocs != 0 {
				t.Errorf("v%d, %d bytes: %v allocations per cell", f, n, allocs)
			}
		}
	}
}

// FuzzFormat decodes whatever comes; what can be decoded and sent comes back from a second cell.
func FuzzFormat(f *testing.F) {
	for _, c := range formatGood {
		f.Add(c.format == V1, wiretest.Unhex(c.hex))
	}
	for _, c := range decodeBad {
		f.Add(c.format == V1, wiretest.Unhex(c.hex))
	}
	f.Fuzz(func(t *testing.T, v1 bool, b []byte) {
		format := V0
		if v1 {
			format = V1
		}
		var body, again [cell.BodyLen]byte
		copy(body[:], b)
		m, err := format.Decode(&body)
		if err != nil {
			return
		}
		err = format.Encode(&again, m, newPad())
		if errors.Is(err, ErrUnknownCommand) || errors.Is(err, ErrStreamID) {
			if format == V1 {
				t.Fatalf("decoded %+v, which cannot be encoded: %v", m, err)
			}
			return // to be dropped
		}
		if err != nil {
			t.Fatalf("decoded %+v, which cannot be encoded: %v", m, err)
		}
		m2, err := format.Decode(&again)
		if err != nil || m2.Cmd != m.Cmd || m2.Stream != m.Stream || !bytes.Equal(m2.Body, m.Body) {
			t.Fatalf("decoded %+v\nthen %+v, %v", m, m2, err)
		}
		checkPadding(t, format, m, &again)
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range []struct {
		name    string
		format  Format
		length  int
		inPlace bool
	}{
		{"v0/full", V0, 498, false},
		{"v0/full-in-place", V0, 498, true},
		{"v0/100-bytes", V0, 100, false},
		{"v1/full", V1, 488, false},
		{"v1/full-in-place", V1, 488, true},
		{"v1/100-bytes", V1, 100, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			pad := newPad()
			var body [cell.BodyLen]byte
			m := Msg{CmdData, 1, make([]byte, c.length)}
			if c.inPlace {
				m.Body = body[c.format.BodyOffset(CmdData):][:c.length]
			}
			b.SetBytes(int64(c.length))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.format.Encode(&body, m, pad); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, f := range map[string]Format{"v0": V0, "v1": V1} {
		b.Run(name, func(b *testing.B) {
			var body [cell.BodyLen]byte
			if err := f.Encode(&body, Msg{CmdData, 1, make([]byte, 488)}, newPad()); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(488)
			b.ReportAllocs()
			for b.Loop() {
				if m, err := f.Decode(&body); err != nil || len(m.Body) != 488 {
					b.Fatal(m, err)
				}
			}
		})
	}
}
