package relaymsg

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var resolvedTable = wiretest.Table[Resolved]{
	Spec:   "https://spec.torproject.org/tor-spec/remote-hostname-lookup.html",
	Parse:  ParseResolved,
	Append: Resolved.AppendTo,
	Good: []wiretest.Good[Resolved]{
		{Name: "empty", Hex: "", Msg: Resolved{}},
		{Name: "transient error", Hex: "f0 00 00000e10", Msg: Resolved{[]Answer{{Type: AnswerErrorTransient, TTL: 3600}}}},
		{Name: "error", Hex: "f1 00 00000e10", Msg: Resolved{[]Answer{{Type: AnswerError, TTL: 3600}}}},
		{
			Name: "error with text", Hex: "f1 18" + text("Error resolving hostname") + "00000000",
			Canonical: "f1 00 00000000", Msg: Resolved{[]Answer{{Type: AnswerError}}},
		},
		{
			Name: "IPv4", Hex: "04 04 7f000001 00000e10 04 04 7f000002 00001c20",
			Msg: Resolved{[]Answer{
				{Type: AnswerIPv4, Addr: netip.MustParseAddr("127.0.0.1"), TTL: 3600},
				{Type: AnswerIPv4, Addr: netip.MustParseAddr("127.0.0.2"), TTL: 7200},
			}},
		},
		{
			Name: "IPv6", Hex: "06 10 12340000000000000000000000005678 00000080",
			Msg: Resolved{[]Answer{{Type: AnswerIPv6, Addr: netip.MustParseAddr("1234::5678"), TTL: 128}}},
		},
		{
			Name: "name", Hex: "00 12 7777772e746f7270726f6a6563742e6f7267 00000258",
			Msg: Resolved{[]Answer{{Type: AnswerName, Name: "www.torproject.org", TTL: 600}}},
		},
		{
			Name: "unknown type", Hex: "63 02 ffff 00000258 f1 00 00000001", Canonical: "f1 00 00000001",
			Msg: Resolved{[]Answer{{Type: AnswerError, TTL: 1}}},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "type alone", Hex: "04", Err: ErrTruncated},
		{Name: "short value", Hex: "04 04 7f0000", Err: ErrTruncated},
		{Name: "no TTL", Hex: "04 04 7f000001", Err: ErrTruncated},
		{Name: "unknown type without TTL", Hex: "63 01 00 000000", Err: ErrTruncated},
		{Name: "IPv4 of 3 bytes", Hex: "04 03 010203 00000001", Err: ErrMalformed},
		{Name: "IPv4 of 16 bytes", Hex: "04 10 12340000000000000000000000005678 00000080", Err: ErrMalformed},
		{Name: "IPv6 of 4 bytes", Hex: "06 04 7f000001 00000e10", Err: ErrMalformed},
		{Name: "empty name", Hex: "00 00 00000001", Err: ErrMalformed},
		{Name: "NUL in a name", Hex: "00 03 610062 00000001", Err: ErrMalformed},
		{Name: "not ASCII", Hex: "00 02 c3a9 00000001", Err: ErrMalformed},
		{Name: "second answer bad", Hex: "04 04 7f000001 00000e10 04 00 00000000", Err: ErrMalformed},
	},
	Refused: []wiretest.Refused[Resolved]{
		{Name: "IPv4 without address", Msg: Resolved{[]Answer{{Type: AnswerIPv4}}}, Err: ErrMalformed},
		{Name: "IPv6 with IPv4 address", Msg: Resolved{[]Answer{{Type: AnswerIPv6, Addr: netip.IPv4Unspecified()}}}, Err: ErrMalformed},
		{Name: "unknown type", Msg: Resolved{[]Answer{{Type: 99}}}, Err: ErrMalformed},
		{Name: "long name", Msg: Resolved{[]Answer{{Type: AnswerName, Name: strings.Repeat("a", 256)}}}, Err: ErrTooLong},
	},
}

func TestResolved(t *testing.T) { resolvedTable.Test(t) }
func FuzzResolved(f *testing.F) { resolvedTable.Fuzz(f) }
