package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const paddingSpec = "https://spec.torproject.org/padding-spec/circuit-level-padding.html"

var paddingNegotiateTable = wiretest.Table[PaddingNegotiate]{
	Spec:   paddingSpec,
	Parse:  ParsePaddingNegotiate,
	Append: PaddingNegotiate.AppendTo,
	Good: []wiretest.Good[PaddingNegotiate]{
		{Name: "start, from C tor", Hex: "0002000000000001", Msg: PaddingNegotiate{Command: PaddingStart, MachineCtr: 1}},
		{Name: "stop with echo", Hex: "00010101 fffffffe", Msg: PaddingNegotiate{PaddingStop, 1, true, 1<<32 - 2}},
		{
			Name: "bytes at the end", Hex: "0002000000000001 ff", Canonical: "0002000000000001",
			Msg: PaddingNegotiate{Command: PaddingStart, MachineCtr: 1},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "short counter", Hex: "00020000000001", Err: ErrTruncated},
		{Name: "version 1", Hex: "0102000000000001", Err: ErrVersion},
		{Name: "command 0", Hex: "0000000000000001", Err: ErrMalformed},
		{Name: "command 3", Hex: "0003000000000001", Err: ErrMalformed},
		{Name: "echo 2", Hex: "0002000200000001", Err: ErrMalformed},
	},
}

func TestPaddingNegotiate(t *testing.T) { paddingNegotiateTable.Test(t) }
func FuzzPaddingNegotiate(f *testing.F) { paddingNegotiateTable.Fuzz(f) }

var paddingNegotiatedTable = wiretest.Table[PaddingNegotiated]{
	Spec:   paddingSpec,
	Parse:  ParsePaddingNegotiated,
	Append: PaddingNegotiated.AppendTo,
	Good: []wiretest.Good[PaddingNegotiated]{
		{Name: "stop, from C tor", Hex: "0001010000000001", Msg: PaddingNegotiated{PaddingStop, PaddingOK, 0, 1}},
		{Name: "start, from C tor", Hex: "0002010000000001", Msg: PaddingNegotiated{PaddingStart, PaddingOK, 0, 1}},
		{Name: "machine 1, from C tor", Hex: "0002010100000001", Msg: PaddingNegotiated{PaddingStart, PaddingOK, 1, 1}},
		{Name: "refused", Hex: "0002020100000002", Msg: PaddingNegotiated{PaddingStart, PaddingErr, 1, 2}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "short counter", Hex: "00010100000001", Err: ErrTruncated},
		{Name: "version 1", Hex: "0101010000000001", Err: ErrVersion},
		{Name: "command 0", Hex: "0000010000000001", Err: ErrMalformed},
		{Name: "response 0", Hex: "0002000000000001", Err: ErrMalformed},
		{Name: "response 3", Hex: "0002030000000001", Err: ErrMalformed},
	},
}

func TestPaddingNegotiated(t *testing.T) { paddingNegotiatedTable.Test(t) }
func FuzzPaddingNegotiated(f *testing.F) { paddingNegotiatedTable.Fuzz(f) }
