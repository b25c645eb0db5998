package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var paddingNegotiateTable = wiretest.Table[PaddingNegotiate]{
	Spec:   "https://spec.torproject.org/padding-spec/connection-level-padding.html",
	Parse:  ParsePaddingNegotiate,
	Append: PaddingNegotiate.AppendTo,
	Good: []wiretest.Good[PaddingNegotiate]{
		{Name: "start", Hex: "00 02 0100 0200", Msg: PaddingNegotiate{Command: PaddingStart, LowMS: 256, HighMS: 512}},
		{Name: "stop", Hex: "00 01 0000 0000", Msg: PaddingNegotiate{Command: PaddingStop}},
		{Name: "another version", Hex: "90 03 0300 0000", Msg: PaddingNegotiate{Version: 0x90, Command: 3, LowMS: 0x300}},
		{
			Name: "bytes at the end", Hex: "00 01 0000 0000 00", Msg: PaddingNegotiate{Command: PaddingStop},
			Canonical: "00 01 0000 0000",
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "no command", Hex: "00", Err: ErrTruncated},
		{Name: "no high bound", Hex: "00 02 0100 02", Err: ErrTruncated},
	},
}

func TestPaddingNegotiate(t *testing.T) { paddingNegotiateTable.Test(t) }
func FuzzPaddingNegotiate(f *testing.F) { paddingNegotiateTable.Fuzz(f) }
