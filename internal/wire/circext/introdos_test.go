package circext

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var introDoSTable = wiretest.Table[IntroDoS]{
	Spec:   "https://spec.torproject.org/rend-spec/introduction-protocol.html",
	Parse:  ParseIntroDoS,
	Append: func(m IntroDoS, dst []byte) ([]byte, error) { return append(dst, m.Extension().Body...), nil },
	Good: []wiretest.Good[IntroDoS]{
		{Name: "both", Hex: "02 01 0000000000000001 02 0000000000000002", Msg: IntroDoS{1, 2}},
		{
			Name: "burst first", Hex: "02 02 ffffffffffffffff 01 0000000000000001", Msg: IntroDoS{1, 1<<64 - 1},
			Canonical: "02 01 0000000000000001 02 ffffffffffffffff",
		},
		{
			Name: "one twice", Hex: "02 01 0000000000000001 01 0000000000000003", Msg: IntroDoS{Rate: 3},
			Canonical: "02 01 0000000000000003 02 0000000000000000",
		},
		{Name: "none", Hex: "00", Canonical: "02 01 0000000000000000 02 0000000000000000", Msg: IntroDoS{}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "fewer than it says", Hex: "02 01 0000000000000001", Err: ErrTruncated},
		{Name: "short value", Hex: "01 01 00000000000001", Err: ErrTruncated},
		{Name: "unknown parameter", Hex: "01 03 0000000000000001", Err: ErrMalformed},
	},
}

func TestIntroDoS(t *testing.T) { introDoSTable.Test(t) }
func FuzzIntroDoS(f *testing.F) { introDoSTable.Fuzz(f) }
