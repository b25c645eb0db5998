package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const create2NTor = `09164430e84d3bc56ec7e1d22734742345e2dece0de535b66b8e8a0ebbdae3263c53e02ec2215685cd3a
	977dc7946ff47f84cd7025f75d252d1b35dea28f32fa912513889a207e5049992dbc9bc541194c13624a`

var create2Table = wiretest.Table[Create2]{
	Spec:   "https://spec.torproject.org/tor-spec/create-created-cells.html",
	Parse:  ParseCreate2,
	Append: Create2.AppendTo,
	Good: []wiretest.Good[Create2]{
		{Name: "ntor, from C tor", Hex: "0002 0054" + create2NTor, Msg: Create2{HandshakeNTor, wiretest.Unhex(create2NTor)}},
		{Name: "unknown type", Hex: "ffff 0001 aa", Msg: Create2{0xffff, []byte{0xaa}}},
		{Name: "empty", Hex: "0003 0000", Msg: Create2{HandshakeNTorV3, []byte{}}},
		{Name: "padded", Hex: "0003 0001 aa 0000", Msg: Create2{HandshakeNTorV3, []byte{0xaa}}, Canonical: "0003 0001 aa"},
	},
	Bad: []wiretest.Bad{
		{Name: "empty body", Hex: "", Err: ErrTruncated},
		{Name: "no length", Hex: "0002 00", Err: ErrTruncated},
		{Name: "too short", Hex: "0002 0002 aa", Err: ErrTruncated},
		{Name: "longest", Hex: "0002 ffff aa", Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[Create2]{
		{Name: "too long for a cell", Msg: Create2{HandshakeNTorV3, make([]byte, MaxCreate2Data+1)}, Err: ErrTooLong},
	},
	Stricter: ErrTooLong, // than the parser, which does not know the length of a cell
}

func TestCreate2(t *testing.T) { create2Table.Test(t) }
func FuzzCreate2(f *testing.F) { create2Table.Fuzz(f) }
