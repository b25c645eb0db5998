package circext

import (
	"bytes"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const listSpec = "https://spec.torproject.org/rend-spec/introduction-protocol.html"

var listTable = wiretest.Table[List]{
	Spec:   listSpec,
	Parse:  Parse,
	Append: List.AppendTo,
	Good: []wiretest.Good[List]{
		{Name: "none", Hex: "00", Msg: List{}},
		{Name: "congestion control", Hex: "01 01 00", Msg: List{{1, []byte{}}}},
		{Name: "CGO, as every client asks for it", Hex: "02 01 00 03 02 02 06", Msg: List{{1, []byte{}}, {3, []byte{2, 6}}}},
		{Name: "unknown type", Hex: "01 ff 03 616263", Msg: List{{255, []byte("abc")}}},
		{Name: "bytes at the end", Hex: "00 0000", Canonical: "00", Msg: List{}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "fewer than it says", Hex: "02 01 00", Err: ErrTruncated},
		{Name: "no length", Hex: "01 01", Err: ErrTruncated},
		{Name: "body too short", Hex: "01 01 02 00", Err: ErrTruncated},
		{Name: "most of them", Hex: "ff", Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[List]{
		{Name: "repeated", Msg: List{{Type: 1}, {Type: 1}}, Err: ErrOrder},
		{Name: "descending", Msg: List{{Type: 3}, {Type: 1}}, Err: ErrOrder},
		{Name: "too long", Msg: List{{1, make([]byte, 256)}}, Err: ErrTooLong},
		{Name: "too many", Msg: make(List, 256), Err: ErrTooLong},
	},
	Stricter: ErrOrder,
}

func TestList(t *testing.T) { listTable.Test(t) }

func FuzzList(f *testing.F) {
	f.Add(wiretest.Unhex("02 03 00 01 00"))
	listTable.Fuzz(f)
}

// "Parties MUST ignore [...] all occurrences of an extension with a given type after the first such occurrence."
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func TestGet(t *testing.T) {
	l, err := Parse(wiretest.Unhex("03 05 01 aa 02 00 05 01 bb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		extType uint8
		want    []byte
		ok      bool
	}{{5, []byte{0xaa}, true}, {2, []byte{}, true}, {1, nil, false}} {
		if got, ok := l.Get(c.extType); !bytes.Equal(got, c.want) || ok != c.ok {
			t.Errorf("type %d: got %x, %v\nwant %x, %v\nsee %s", c.extType, got, ok, c.want, c.ok, listSpec)
		}
	}
}
