package linkspec

import (
	"net/netip"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const listSpec = "https://spec.torproject.org/tor-spec/create-created-cells.html"

const (
	rsaHex = "e48664dbccef9650b5d0e7b60e6de9bced2fb91e"
	edHex  = "3ff84aa4b21453d20106bd4edda919386bf67d541caa78f38be6a08c2b3d0c4f"
)

var (
	ipv4  = netip.MustParseAddrPort("127.0.0.1:5002")
	ipv6  = netip.MustParseAddrPort("[2001:db8::1]:9001")
	rsaID = [20]byte(wiretest.Unhex(rsaHex))
)

var listTable = wiretest.Table[[]Spec]{
	Spec: listSpec,
	Parse: func(b []byte) ([]Spec, error) {
		s := cryptobyte.String(b)
		return ParseList(&s)
	},
	Append: func(specs []Spec, dst []byte) ([]byte, error) { return AppendList(dst, specs) },
	Good: []wiretest.Good[[]Spec]{
		{Name: "none", Hex: "00", Msg: []Spec{}},
		{
			Name: "rendezvous point, from C tor", Hex: "03 00 06 7f000001138a 02 14" + rsaHex + "03 20" + edHex,
			Msg: []Spec{IPv4(ipv4), RSA(rsaID), Ed25519([32]byte(wiretest.Unhex(edHex)))},
		},
		{Name: "IPv6", Hex: "01 01 12 20010db8000000000000000000000001 2329", Msg: []Spec{IPv6(ipv6)}},
		{Name: "unknown types", Hex: "02 04 00 ff 02 abcd", Msg: []Spec{{4, []byte{}}, {255, []byte{0xab, 0xcd}}}},
		{Name: "two identities", Hex: "02 02 14" + rsaHex + "02 14" + rsaHex, Msg: []Spec{RSA(rsaID), RSA(rsaID)}},
		{Name: "bytes at the end", Hex: "00 ff", Canonical: "00", Msg: []Spec{}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "fewer than it says", Hex: "02 04 00", Err: ErrTruncated},
		{Name: "no length", Hex: "01 04", Err: ErrTruncated},
		{Name: "body too short", Hex: "01 04 02 00", Err: ErrTruncated},
		{Name: "most of them", Hex: "ff", Err: ErrTruncated},
		{Name: "short IPv4", Hex: "01 00 05 7f00000113", Err: ErrLength},
		{Name: "long IPv4", Hex: "01 00 07 7f000001138800", Err: ErrLength},
		{Name: "IPv6 with the length of IPv4", Hex: "01 01 06 7f0000011388", Err: ErrLength},
		{Name: "empty RSA identity", Hex: "01 02 00", Err: ErrLength},
		{Name: "Ed25519 identity with the length of RSA", Hex: "01 03 14" + rsaHex, Err: ErrLength},
	},
	Refused: []wiretest.Refused[[]Spec]{
		{Name: "too many", Msg: make([]Spec, 256), Err: ErrTooLong},
		{Name: "too long", Msg: []Spec{{77, make([]byte, 256)}}, Err: ErrTooLong},
		{Name: "wrong length", Msg: []Spec{{TypeRSA, make([]byte, 21)}}, Err: ErrLength},
	},
}

func TestList(t *testing.T) { listTable.Test(t) }
func FuzzList(f *testing.F) { listTable.Fuzz(f) }
