package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const (
	sendmeTag = "f01234989823478bcdefabcdef01234567890123"
	cgoTag    = "000102030405060708090a0b0c0d0e0f"
)

var sendmeTable = wiretest.Table[Sendme]{
	Spec:   "https://spec.torproject.org/tor-spec/flow-control.html",
	Parse:  ParseSendme,
	Append: Sendme.AppendTo,
	Good: []wiretest.Good[Sendme]{
		{Name: "version 0", Hex: "", Msg: Sendme{}},
		{Name: "version 0 with a body", Hex: "00 0014 ff", Canonical: " ", Msg: Sendme{}},
		{Name: "tor1", Hex: "01 0014" + sendmeTag, Msg: Sendme{1, wiretest.Unhex(sendmeTag)}},
		{Name: "CGO", Hex: "01 0010" + cgoTag, Msg: Sendme{1, wiretest.Unhex(cgoTag)}},
		{Name: "no tag", Hex: "01 0000", Msg: Sendme{1, []byte{}}},
		{Name: "bytes at the end", Hex: "01 0010" + cgoTag + "ff", Canonical: "01 0010" + cgoTag, Msg: Sendme{1, wiretest.Unhex(cgoTag)}},
	},
	Bad: []wiretest.Bad{
		{Name: "no length", Hex: "01", Err: ErrTruncated},
		{Name: "half a length", Hex: "01 00", Err: ErrTruncated},
		{Name: "short tag", Hex: "01 0014" + cgoTag, Err: ErrTruncated},
		{Name: "version 2", Hex: "02 0014" + sendmeTag, Err: ErrVersion},
	},
	Refused: []wiretest.Refused[Sendme]{
		{Name: "version 2", Msg: Sendme{Version: 2}, Err: ErrVersion},
		{Name: "long tag", Msg: Sendme{1, make([]byte, 256)}, Err: ErrTooLong},
	},
	Stricter: ErrTooLong,
}

func TestSendme(t *testing.T) { sendmeTable.Test(t) }
func FuzzSendme(f *testing.F) { sendmeTable.Fuzz(f) }
