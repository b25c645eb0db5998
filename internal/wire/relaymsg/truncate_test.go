package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var truncateTable = wiretest.Table[Truncate]{
	Spec:   "https://spec.torproject.org/tor-spec/tearing-down-circuits.html",
	Parse:  ParseTruncate,
	Append: Truncate.AppendTo,
	Good: []wiretest.Good[Truncate]{
		{Name: "requested", Hex: "03", Msg: Truncate{cell.DestroyRequested}},
		{Name: "empty", Hex: "", Canonical: "00", Msg: Truncate{cell.DestroyNone}},
		{Name: "bytes at the end", Hex: "03ff", Canonical: "03", Msg: Truncate{cell.DestroyRequested}},
	},
}

func TestTruncate(t *testing.T) { truncateTable.Test(t) }
func FuzzTruncate(f *testing.F) { truncateTable.Fuzz(f) }
