package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var truncatedTable = wiretest.Table[Truncated]{
	Spec:   "https://spec.torproject.org/tor-spec/tearing-down-circuits.html",
	Parse:  ParseTruncated,
	Append: Truncated.AppendTo,
	Good: []wiretest.Good[Truncated]{
		{Name: "link closed, from C tor", Hex: "08", Msg: Truncated{cell.DestroyChannelClosed}},
		{Name: "empty", Hex: "", Canonical: "00", Msg: Truncated{cell.DestroyNone}},
		{Name: "unknown reason", Hex: "ff", Msg: Truncated{255}},
	},
}

func TestTruncated(t *testing.T) { truncatedTable.Test(t) }
func FuzzTruncated(f *testing.F) { truncatedTable.Fuzz(f) }
