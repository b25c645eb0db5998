package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const (
	confluxSpec  = "https://spec.torproject.org/proposals/329-traffic-splitting.html"
	confluxNonce = "82dcdb58e5a9c7e2dd2d6e3d6a55d8b8d0a1b6ab9c4be0e9d1d0d5a7b7a8c1f3"
	confluxSeqs  = "0000000000000003 fffffffffffffffe"
)

var confluxLinkTable = wiretest.Table[ConfluxLink]{
	Spec:   confluxSpec,
	Parse:  ParseConfluxLink,
	Append: ConfluxLink.AppendTo,
	Good: []wiretest.Good[ConfluxLink]{
		{
			Name: "throughput", Hex: "01" + confluxNonce + confluxSeqs + "03",
			Msg: ConfluxLink{[32]byte(wiretest.Unhex(confluxNonce)), 3, 1<<64 - 2, UXHighThroughput},
		},
		{
			Name: "bytes at the end", Hex: "01" + confluxNonce + confluxSeqs + "00 ff", Canonical: "01" + confluxNonce + confluxSeqs + "00",
			Msg: ConfluxLink{[32]byte(wiretest.Unhex(confluxNonce)), 3, 1<<64 - 2, UXNoOpinion},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "short nonce", Hex: "01" + confluxNonce[2:], Err: ErrTruncated},
		{Name: "no UX", Hex: "01" + confluxNonce + confluxSeqs, Err: ErrTruncated},
		{Name: "version 0", Hex: "00" + confluxNonce + confluxSeqs + "03", Err: ErrVersion},
		{Name: "version 2", Hex: "02", Err: ErrVersion},
		{Name: "unknown UX", Hex: "01" + confluxNonce + confluxSeqs + "05", Err: ErrMalformed},
	},
	Refused: []wiretest.Refused[ConfluxLink]{
		{Name: "unknown UX", Msg: ConfluxLink{UX: 5}, Err: ErrMalformed},
	},
}

func TestConfluxLink(t *testing.T) { confluxLinkTable.Test(t) }
func FuzzConfluxLink(f *testing.F) { confluxLinkTable.Fuzz(f) }

var confluxSwitchTable = wiretest.Table[ConfluxSwitch]{
	Spec:   confluxSpec,
	Parse:  ParseConfluxSwitch,
	Append: ConfluxSwitch.AppendTo,
	Good: []wiretest.Good[ConfluxSwitch]{
		{Name: "31 cells", Hex: "0000001f", Msg: ConfluxSwitch{31}},
		{Name: "most cells", Hex: "ffffffff", Msg: ConfluxSwitch{1<<32 - 1}},
		{Name: "bytes at the end", Hex: "00000001 00", Canonical: "00000001", Msg: ConfluxSwitch{1}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "three bytes", Hex: "000001", Err: ErrTruncated},
	},
}

func TestConfluxSwitch(t *testing.T) { confluxSwitchTable.Test(t) }
func FuzzConfluxSwitch(f *testing.F) { confluxSwitchTable.Fuzz(f) }
