package relaymsg

import (
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const connectedV6 = "00000000 06 20010db8000000000000000000001122"

var connectedTable = wiretest.Table[Connected]{
	Spec:   "https://spec.torproject.org/tor-spec/opening-streams.html",
	Parse:  ParseConnected,
	Append: Connected.AppendTo,
	Good: []wiretest.Good[Connected]{
		{Name: "empty", Hex: "", Msg: Connected{}},
		{Name: "IPv4, from C tor", Hex: "7f000001 00000e10", Msg: Connected{netip.MustParseAddr("127.0.0.1"), 3600}},
		{
			Name: "IPv4 without TTL", Hex: "7f000001 0000", Canonical: "7f000001 00000000",
			Msg: Connected{netip.MustParseAddr("127.0.0.1"), 0},
		},
		{Name: "IPv6", Hex: connectedV6 + "00000e10", Msg: Connected{netip.MustParseAddr("2001:db8::1122"), 3600}},
		{
			Name: "bytes at the end", Hex: connectedV6 + "00000e10 ff", Canonical: connectedV6 + "00000e10",
			Msg: Connected{netip.MustParseAddr("2001:db8::1122"), 3600},
		},
		{
			Name: "mapped IPv4", Hex: "00000000 06 00000000000000000000ffff7f000001 00000001",
			Msg: Connected{netip.MustParseAddr("::ffff:127.0.0.1"), 1},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "short IPv4", Hex: "7f0000", Err: ErrTruncated},
		{Name: "zeros alone", Hex: "00000000", Err: ErrTruncated},
		{Name: "0.0.0.0", Hex: "00000000 00000e10", Err: ErrTruncated},
		{Name: "short IPv6", Hex: connectedV6[:40], Err: ErrTruncated},
		{Name: "IPv6 without TTL", Hex: connectedV6, Err: ErrTruncated},
		{Name: "unknown type", Hex: "00000000 07 20010db8000000000000000000001122 00000e10", Err: ErrMalformed},
	},
	Refused: []wiretest.Refused[Connected]{
		{Name: "0.0.0.0", Msg: Connected{Addr: netip.IPv4Unspecified()}, Err: ErrMalformed},
	},
}

func TestConnected(t *testing.T) { connectedTable.Test(t) }
func FuzzConnected(f *testing.F) { connectedTable.Fuzz(f) }
