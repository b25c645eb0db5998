package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const createFastHex = "0dc2a5eb921ef4b71f41184a99f4fad99620a648"

var createFastTable = wiretest.Table[CreateFast]{
	Spec:   "https://spec.torproject.org/tor-spec/create-created-cells.html",
	Parse:  ParseCreateFast,
	Append: CreateFast.AppendTo,
	Good: []wiretest.Good[CreateFast]{
		{Name: "from C tor", Hex: createFastHex, Msg: CreateFast{[20]byte(wiretest.Unhex(createFastHex))}},
		{Name: "padded", Hex: createFastHex + "0000", Canonical: createFastHex, Msg: CreateFast{[20]byte(wiretest.Unhex(createFastHex))}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "one byte short", Hex: createFastHex[2:], Err: ErrTruncated},
	},
}

func TestCreateFast(t *testing.T) { createFastTable.Test(t) }
func FuzzCreateFast(f *testing.F) { createFastTable.Fuzz(f) }
