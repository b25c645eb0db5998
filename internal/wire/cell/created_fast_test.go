package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const (
	createdFastY  = "03b74250b01d09fda72b70d63ae7994926f13055"
	createdFastKH = "bed23485f6b3c8c3ceafe1df48a9ff8bac4993fc"
)

var createdFast = CreatedFast{
	Y:  [20]byte(wiretest.Unhex(createdFastY)),
	KH: [20]byte(wiretest.Unhex(createdFastKH)),
}

var createdFastTable = wiretest.Table[CreatedFast]{
	Spec:   "https://spec.torproject.org/tor-spec/create-created-cells.html",
	Parse:  ParseCreatedFast,
	Append: CreatedFast.AppendTo,
	Good: []wiretest.Good[CreatedFast]{
		{Name: "from C tor", Hex: createdFastY + createdFastKH, Msg: createdFast},
		{Name: "padded", Hex: createdFastY + createdFastKH + "00", Canonical: createdFastY + createdFastKH, Msg: createdFast},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "no KH", Hex: createdFastY, Err: ErrTruncated},
		{Name: "one byte short", Hex: createdFastY + createdFastKH[2:], Err: ErrTruncated},
	},
}

func TestCreatedFast(t *testing.T) { createdFastTable.Test(t) }
func FuzzCreatedFast(f *testing.F) { createdFastTable.Fuzz(f) }
