package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var destroyTable = wiretest.Table[Destroy]{
	Spec:   "https://spec.torproject.org/tor-spec/tearing-down-circuits.html",
	Parse:  ParseDestroy,
	Append: Destroy.AppendTo,
	Good: []wiretest.Good[Destroy]{
		{Name: "hibernating", Hex: "04", Msg: Destroy{DestroyHibernating}},
		{Name: "padded", Hex: "0000", Canonical: "00", Msg: Destroy{DestroyNone}},
		{Name: "empty", Hex: "", Canonical: "00", Msg: Destroy{DestroyNone}},
		{Name: "unknown", Hex: "ff", Msg: Destroy{255}},
	},
}

func TestDestroy(t *testing.T) { destroyTable.Test(t) }
func FuzzDestroy(f *testing.F) { destroyTable.Fuzz(f) }
