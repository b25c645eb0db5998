package relaymsg

import (
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const (
	extend2RSA  = "03479e93ebf3ff2c58c1c9dbf2de9de9c2801b3e"
	extend2Data = extend2RSA + `36a3e0bdb1f1a10579820243dd2e228b902940eb49ef842646e3926768c28410
		074bee50a535116d657c6bfb7e5114119dc69f05df907ef62002ea782b0a357f`
	extend2Specs = "02 00 06 7f0000011388 02 14" + extend2RSA
)

var extend2Table = wiretest.Table[Extend2]{
	Spec:   "https://spec.torproject.org/tor-spec/create-created-cells.html",
	Parse:  ParseExtend2,
	Append: Extend2.AppendTo,
	Good: []wiretest.Good[Extend2]{
		{
			Name: "ntor, from C tor", Hex: extend2Specs + "0002 0054" + extend2Data,
			Msg: Extend2{
				Specs: []linkspec.Spec{
					linkspec.IPv4(netip.MustParseAddrPort("127.0.0.1:5000")),
					linkspec.RSA([20]byte(wiretest.Unhex(extend2RSA))),
				},
				Type: cell.HandshakeNTor,
				Data: wiretest.Unhex(extend2Data),
			},
		},
		{
			Name: "unknown specifier and handshake", Hex: "01 fe 01 aa ffff 0001 bb",
			Msg: Extend2{[]linkspec.Spec{{Type: 254, Body: []byte{0xaa}}}, 0xffff, []byte{0xbb}},
		},
		{
			Name: "bytes at the end", Hex: "00 0003 0000 ff", Canonical: "00 0003 0000",
			Msg: Extend2{[]linkspec.Spec{}, cell.HandshakeNTorV3, []byte{}},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: linkspec.ErrTruncated},
		{Name: "specifier missing", Hex: "02 00 06 7f0000011388", Err: linkspec.ErrTruncated},
		{Name: "specifier of wrong length", Hex: "01 00 04 7f000001 0002 0000", Err: linkspec.ErrLength},
		{Name: "no handshake", Hex: extend2Specs, Err: ErrTruncated},
		{Name: "no length", Hex: extend2Specs + "0002 00", Err: ErrTruncated},
		{Name: "short handshake", Hex: extend2Specs + "0002 0054" + extend2RSA, Err: ErrTruncated},
		{Name: "longest handshake", Hex: extend2Specs + "0002 ffff" + extend2Data, Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[Extend2]{
		{Name: "long handshake", Msg: Extend2{Data: make([]byte, 499)}, Err: ErrTooLong},
		{Name: "many specifiers", Msg: Extend2{Specs: make([]linkspec.Spec, 256)}, Err: linkspec.ErrTooLong},
	},
	Stricter: ErrTooLong, // than the parser, which does not know the length of a cell
}

func TestExtend2(t *testing.T) { extend2Table.Test(t) }
func FuzzExtend2(f *testing.F) { extend2Table.Fuzz(f) }
