package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const introSpec = "https://spec.torproject.org/rend-spec/introduction-protocol.html"

var introEstablishedTable = wiretest.Table[IntroEstablished]{
	Spec:   introSpec,
	Parse:  ParseIntroEstablished,
	Append: IntroEstablished.AppendTo,
	Good: []wiretest.Good[IntroEstablished]{
		{Name: "from C tor", Hex: "00", Msg: IntroEstablished{circext.List{}}},
		{Name: "extension", Hex: "01 07 01 aa", Msg: IntroEstablished{circext.List{{Type: 7, Body: []byte{0xaa}}}}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: circext.ErrTruncated},
		{Name: "extension missing", Hex: "01", Err: circext.ErrTruncated},
	},
	Refused: []wiretest.Refused[IntroEstablished]{
		{Name: "repeated extension", Msg: IntroEstablished{circext.List{{Type: 1}, {Type: 1}}}, Err: circext.ErrOrder},
	},
	Stricter: circext.ErrOrder,
}

func TestIntroEstablished(t *testing.T) { introEstablishedTable.Test(t) }
func FuzzIntroEstablished(f *testing.F) { introEstablishedTable.Fuzz(f) }

var introduceAckTable = wiretest.Table[IntroduceAck]{
	Spec:   introSpec,
	Parse:  ParseIntroduceAck,
	Append: IntroduceAck.AppendTo,
	Good: []wiretest.Good[IntroduceAck]{
		{Name: "success, from C tor", Hex: "0000 00", Msg: IntroduceAck{IntroduceOK, circext.List{}}},
		{Name: "unknown status", Hex: "0102 00", Msg: IntroduceAck{0x102, circext.List{}}},
		{Name: "extension", Hex: "0003 01 07 01 aa", Msg: IntroduceAck{IntroduceCannotRelay, circext.List{{Type: 7, Body: []byte{0xaa}}}}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "half a status", Hex: "00", Err: ErrTruncated},
		{Name: "no extensions", Hex: "0000", Err: circext.ErrTruncated},
		{Name: "extension missing", Hex: "0000 01", Err: circext.ErrTruncated},
	},
	Refused: []wiretest.Refused[IntroduceAck]{
		{Name: "repeated extension", Msg: IntroduceAck{Exts: circext.List{{Type: 1}, {Type: 1}}}, Err: circext.ErrOrder},
	},
	Stricter: circext.ErrOrder,
}

func TestIntroduceAck(t *testing.T) { introduceAckTable.Test(t) }
func FuzzIntroduceAck(f *testing.F) { introduceAckTable.Fuzz(f) }

func TestIntroduceStatus(t *testing.T) {
	for status, want := range map[IntroduceStatus]string{
		IntroduceOK:          "success",
		IntroduceUnknownID:   "service id not recognized",
		IntroduceBadFormat:   "bad message format",
		IntroduceCannotRelay: "cannot relay to the service",
		4:                    "status 4",
	} {
		if got := status.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
