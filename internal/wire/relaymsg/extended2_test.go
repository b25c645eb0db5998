package relaymsg

import (
	"errors"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const extended2Data = `0026619058eb2661834d54c2624828728f28915587cdad1ad3373b85f33a480e
	ea9d3b2cef8d39c1dbd2fa519e75296b96960690c79a28d6a0d9454f8e9634bd`

var extended2Table = wiretest.Table[Extended2]{
	Spec:   "https://spec.torproject.org/tor-spec/create-created-cells.html",
	Parse:  ParseExtended2,
	Append: Extended2.AppendTo,
	Good: []wiretest.Good[Extended2]{
		{Name: "ntor, from C tor", Hex: "0040" + extended2Data, Msg: Extended2{wiretest.Unhex(extended2Data)}},
		{Name: "empty", Hex: "0000", Msg: Extended2{[]byte{}}},
		{Name: "bytes at the end", Hex: "0001 aa ff", Canonical: "0001 aa", Msg: Extended2{[]byte{0xaa}}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty body", Hex: "", Err: ErrTruncated},
		{Name: "half a length", Hex: "00", Err: ErrTruncated},
		{Name: "too short", Hex: "0041" + extended2Data, Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[Extended2]{
		{Name: "as long as CREATED2 allows", Msg: Extended2{make([]byte, cell.MaxCreated2Data)}, Err: ErrTooLong},
		{Name: "one byte too long", Msg: Extended2{make([]byte, 497)}, Err: ErrTooLong},
	},
	Stricter: ErrTooLong, // than the parser, which does not know the length of a cell
}

func TestExtended2(t *testing.T) { extended2Table.Test(t) }
func FuzzExtended2(f *testing.F) { extended2Table.Fuzz(f) }

// A CREATED2 cell can hold more than an EXTENDED2 message in either format.
// https://spec.torproject.org/tor-spec/create-created-cells.html
func TestExtended2Fits(t *testing.T) {
	for f, longest := range map[Format]int{V0: 496, V1: 488} {
		for _, n := range []int{longest, longest + 1} {
			body, err := Extended2{make([]byte, n)}.AppendTo(nil)
			if err == nil {
				err = f.Encode(new([cell.BodyLen]byte), Msg{Cmd: CmdExtended2, Body: body}, newPad())
			}
			if n == longest && err != nil || n > longest && !errors.Is(err, ErrTooLong) {
				t.Errorf("v%d, handshake of %d bytes: %v", f, n, err)
			}
		}
	}
}
