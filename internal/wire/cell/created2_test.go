package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const created2NTor = `0108907a701030adb6ca9c6af097dc4855614655659b6a7bf21c1097dce7c66e
	e0e4ef287de7ced40beeca8b90140c05db6138aeb551ce0c037068c315e307a0`

var created2Table = wiretest.Table[Created2]{
	Spec:   "https://spec.torproject.org/tor-spec/create-created-cells.html",
	Parse:  ParseCreated2,
	Append: Created2.AppendTo,
	Good: []wiretest.Good[Created2]{
		{Name: "ntor, from C tor", Hex: "0040" + created2NTor, Msg: Created2{wiretest.Unhex(created2NTor)}},
		{Name: "empty", Hex: "0000", Msg: Created2{[]byte{}}},
		{Name: "padded", Hex: "0001 aa 00", Canonical: "0001 aa", Msg: Created2{[]byte{0xaa}}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty body", Hex: "", Err: ErrTruncated},
		{Name: "half a length", Hex: "00", Err: ErrTruncated},
		{Name: "too short", Hex: "0040 aa", Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[Created2]{
		{Name: "too long for a cell", Msg: Created2{make([]byte, MaxCreated2Data+1)}, Err: ErrTooLong},
	},
	Stricter: ErrTooLong, // than the parser, which does not know the length of a cell
}

func TestCreated2(t *testing.T) { created2Table.Test(t) }
func FuzzCreated2(f *testing.F) { created2Table.Fuzz(f) }
