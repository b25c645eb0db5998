package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const flowSpec = "https://spec.torproject.org/proposals/324-rtt-congestion-control.html"

var xoffTable = wiretest.Table[Xoff]{
	Spec:   flowSpec,
	Parse:  ParseXoff,
	Append: Xoff.AppendTo,
	Good: []wiretest.Good[Xoff]{
		{Name: "version 0", Hex: "00", Msg: Xoff{}},
		{Name: "bytes at the end", Hex: "00ff", Canonical: "00", Msg: Xoff{}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "version 1", Hex: "01", Err: ErrVersion},
	},
}

func TestXoff(t *testing.T) { xoffTable.Test(t) }
func FuzzXoff(f *testing.F) { xoffTable.Fuzz(f) }

var xonTable = wiretest.Table[Xon]{
	Spec:   flowSpec,
	Parse:  ParseXon,
	Append: Xon.AppendTo,
	Good: []wiretest.Good[Xon]{
		{Name: "no limit", Hex: "00 00000000", Msg: Xon{}},
		{Name: "highest rate", Hex: "00 ffffffff", Msg: Xon{1<<32 - 1}},
		{Name: "bytes at the end", Hex: "00 00000200 ff", Canonical: "00 00000200", Msg: Xon{512}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "no rate", Hex: "00", Err: ErrTruncated},
		{Name: "short rate", Hex: "00 000002", Err: ErrTruncated},
		{Name: "version 1", Hex: "01 00000200", Err: ErrVersion},
	},
}

func TestXon(t *testing.T) { xonTable.Test(t) }
func FuzzXon(f *testing.F) { xonTable.Fuzz(f) }
