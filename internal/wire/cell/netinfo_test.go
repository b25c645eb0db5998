package cell

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var (
	localIPv4 = netip.MustParseAddr("127.0.0.1")
	localIPv6 = netip.MustParseAddr("::1")
)

var netinfoTable = wiretest.Table[Netinfo]{
	Spec:   "https://spec.torproject.org/tor-spec/negotiating-channels.html",
	Parse:  ParseNetinfo,
	Append: Netinfo.AppendTo,
	Good: []wiretest.Good[Netinfo]{
		{Name: "client", Hex: "00000000 04 04 7f000001 00", Msg: Netinfo{Other: localIPv4}},
		{
			Name: "relay", Hex: "5f6f80e1 04 04 7f000001 01 04 04 7f000001",
			Msg: Netinfo{0x5f6f80e1, localIPv4, []netip.Addr{localIPv4}},
		},
		{
			Name: "relay with IPv6",
			Hex:  "5f6f859c 06 10 00000000000000000000000000000001 02 04 04 7f000001 06 10 00000000000000000000000000000001",
			Msg:  Netinfo{0x5f6f859c, localIPv6, []netip.Addr{localIPv4, localIPv6}},
		},
		{Name: "other address not given", Hex: "00000000 04 04 00000000 00", Msg: Netinfo{}},
		{
			Name: "unspecified IPv6 addresses",
			Hex:  "00000000 06 10 00000000000000000000000000000000 02 06 10 00000000000000000000000000000000 04 04 7f000001",
			Msg:  Netinfo{Mine: []netip.Addr{localIPv4}}, Canonical: "00000000 04 04 00000000 01 04 04 7f000001",
		},
		{
			Name: "unknown types", Hex: "00000001 00 03 616263 02 bb 02 ffff 04 04 7f000001",
			Msg: Netinfo{Time: 1, Mine: []netip.Addr{localIPv4}}, Canonical: "00000001 04 04 00000000 01 04 04 7f000001",
		},
		{
			Name: "bytes at the end", Hex: "00000000 04 04 7f000001 00 0000", Msg: Netinfo{Other: localIPv4},
			Canonical: "00000000 04 04 7f000001 00",
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "time alone", Hex: "00000000", Err: ErrTruncated},
		{Name: "address without length", Hex: "00000000 04", Err: ErrTruncated},
		{Name: "address too short", Hex: "00000000 04 04 7f0000", Err: ErrTruncated},
		{Name: "no count", Hex: "00000000 04 04 7f000001", Err: ErrTruncated},
		{Name: "own address missing", Hex: "00000000 04 04 7f000001 02 04 04 7f000001", Err: ErrTruncated},
		{Name: "IPv4 of 6 bytes", Hex: "00000000 04 06 7f0000010000 00", Err: ErrMalformed},
		{Name: "IPv4 of 16 bytes", Hex: "00000000 04 10 00000000000000000000000000000001 00", Err: ErrMalformed},
		{Name: "IPv6 of 4 bytes", Hex: "00000000 06 04 7f000001 00", Err: ErrMalformed},
		{Name: "own IPv6 of 9 bytes", Hex: "00000000 04 04 7f000001 01 06 09 000000000000000000", Err: ErrMalformed},
	},
	Refused: []wiretest.Refused[Netinfo]{
		{Name: "more addresses than can be counted", Msg: Netinfo{Mine: make([]netip.Addr, 256)}, Err: ErrTooLong},
		{Name: "more addresses than fit a cell", Msg: Netinfo{Mine: make([]netip.Addr, 84)}, Err: ErrTooLong},
	},
	// The body of a cell has 509 bytes, which the fuzzer does not know.
	Stricter: ErrTooLong,
}

func TestNetinfo(t *testing.T) { netinfoTable.Test(t) }
func FuzzNetinfo(f *testing.F) { netinfoTable.Fuzz(f) }

func TestNetinfoWithZone(t *testing.T) {
	b, err := Netinfo{Other: netip.MustParseAddr("fe80::1%eth0")}.AppendTo(nil)
	if want := wiretest.Unhex("00000000 06 10 fe80" + strings.Repeat("00", 13) + "01 00"); err != nil || string(b) != string(want) {
		t.Errorf("got %x, %v\nwant %x", b, err, want)
	}
}
