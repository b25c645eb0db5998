package relaymsg

import (
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

// The plaintext of an introduction by C tor in a test network.
const (
	rendCookie   = "1effeace9be629b357ada359071a7912db828a5b"
	rendOnionKey = "7d73d007977a08cd1abad50f6b836c718700d687e000728c357abc7ce3c8334d"
	rendRSA      = "e48664dbccef9650b5d0e7b60e6de9bced2fb91e"
	rendEd       = "3ff84aa4b21453d20106bd4edda919386bf67d541caa78f38be6a08c2b3d0c4f"
	rendSpecs    = "03 00 06 7f000001138a 02 14" + rendRSA + "03 20" + rendEd
)

func introducePlaintext(exts circext.List) IntroducePlaintext {
	return IntroducePlaintext{
		Cookie:   [20]byte(wiretest.Unhex(rendCookie)),
		Exts:     exts,
		OnionKey: [32]byte(wiretest.Unhex(rendOnionKey)),
		Specs: []linkspec.Spec{
			linkspec.IPv4(netip.MustParseAddrPort("127.0.0.1:5002")),
			linkspec.RSA([20]byte(wiretest.Unhex(rendRSA))),
			linkspec.Ed25519([32]byte(wiretest.Unhex(rendEd))),
		},
	}
}

var introducePlaintextTable = wiretest.Table[IntroducePlaintext]{
	Spec:   "https://spec.torproject.org/rend-spec/introduction-protocol.html",
	Parse:  ParseIntroducePlaintext,
	Append: IntroducePlaintext.AppendTo,
	Good: []wiretest.Good[IntroducePlaintext]{
		{
			Name: "from C tor", Hex: rendCookie + "00 01 0020" + rendOnionKey + rendSpecs + "000000000000000000000000",
			Msg:       introducePlaintext(circext.List{}),
			Canonical: rendCookie + "00 01 0020" + rendOnionKey + rendSpecs,
		},
		{
			Name: "congestion control and CGO", Hex: rendCookie + "02 01 00 03 02 0206 01 0020" + rendOnionKey + rendSpecs,
			Msg: introducePlaintext(circext.List{{Type: 1, Body: []byte{}}, {Type: 3, Body: []byte{2, 6}}}),
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "short cookie", Hex: rendCookie[2:], Err: ErrTruncated},
		{Name: "no extensions", Hex: rendCookie, Err: circext.ErrTruncated},
		{Name: "no onion key", Hex: rendCookie + "00", Err: ErrTruncated},
		{Name: "short onion key", Hex: rendCookie + "00 01 0020" + rendOnionKey[2:], Err: ErrTruncated},
		{Name: "onion key of 31 bytes", Hex: rendCookie + "00 01 001f" + rendOnionKey[2:] + rendSpecs, Err: ErrMalformed},
		{Name: "onion key of another type", Hex: rendCookie + "00 02 0020" + rendOnionKey + rendSpecs, Err: ErrMalformed},
		{Name: "no link specifiers", Hex: rendCookie + "00 01 0020" + rendOnionKey, Err: linkspec.ErrTruncated},
		{Name: "link specifier of wrong length", Hex: rendCookie + "00 01 0020" + rendOnionKey + "01 02 00", Err: linkspec.ErrLength},
	},
	Refused: []wiretest.Refused[IntroducePlaintext]{
		{Name: "extensions out of order", Msg: IntroducePlaintext{Exts: circext.List{{Type: 3}, {Type: 1}}}, Err: circext.ErrOrder},
		{Name: "link specifier of wrong length", Msg: IntroducePlaintext{Specs: []linkspec.Spec{{Type: linkspec.TypeRSA}}}, Err: linkspec.ErrLength},
	},
	Stricter: circext.ErrOrder,
}

func TestIntroducePlaintext(t *testing.T) { introducePlaintextTable.Test(t) }
func FuzzIntroducePlaintext(f *testing.F) { introducePlaintextTable.Fuzz(f) }
