package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var authenticateTable = wiretest.Table[Authenticate]{
	Spec:   "https://spec.torproject.org/tor-spec/negotiating-channels.html",
	Parse:  ParseAuthenticate,
	Append: Authenticate.AppendTo,
	Good: []wiretest.Good[Authenticate]{
		{Name: "type 3", Hex: "0003 0008 4155544830303033", Msg: Authenticate{3, []byte("AUTH0003")}},
		{Name: "empty", Hex: "0003 0000", Msg: Authenticate{3, []byte{}}},
		{Name: "bytes at the end", Hex: "0003 0001 aa bb", Canonical: "0003 0001 aa", Msg: Authenticate{3, []byte{0xaa}}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty body", Hex: "", Err: ErrTruncated},
		{Name: "no length", Hex: "0003 00", Err: ErrTruncated},
		{Name: "too short", Hex: "0003 0002 aa", Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[Authenticate]{
		{Name: "too long", Msg: Authenticate{3, make([]byte, 0x10000)}, Err: ErrTooLong},
	},
}

func TestAuthenticate(t *testing.T) { authenticateTable.Test(t) }
func FuzzAuthenticate(f *testing.F) { authenticateTable.Fuzz(f) }
