package relaymsg

import (
	"math"
	"net/netip"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const endIPv6 = "20010db800000000000000000000f00b"

var endTable = wiretest.Table[End]{
	Spec:   "https://spec.torproject.org/tor-spec/closing-streams.html",
	Parse:  ParseEnd,
	Append: End.AppendTo,
	Good: []wiretest.Good[End]{
		{Name: "misc", Hex: "01", Msg: End{Reason: EndMisc}},
		{Name: "done", Hex: "06", Msg: End{Reason: EndDone}},
		{Name: "empty", Hex: "", Canonical: "01", Msg: End{Reason: EndMisc}},
		{Name: "exit policy", Hex: "04", Msg: End{Reason: EndExitPolicy}},
		{
			Name: "exit policy, IPv4", Hex: "04 7f000007 00000100",
			Msg: End{EndExitPolicy, netip.MustParseAddr("127.0.0.7"), 256},
		},
		{
			Name: "exit policy, IPv6", Hex: "04 " + endIPv6 + "00000200",
			Msg: End{EndExitPolicy, netip.MustParseAddr("2001:db8::f00b"), 512},
		},
		{
			Name: "exit policy, IPv4 without TTL", Hex: "04 7f000007", Canonical: "04 7f000007 ffffffff",
			Msg: End{EndExitPolicy, netip.MustParseAddr("127.0.0.7"), math.MaxUint32},
		},
		{
			Name: "exit policy, IPv6 without TTL", Hex: "04" + endIPv6, Canonical: "04" + endIPv6 + "ffffffff",
			Msg: End{EndExitPolicy, netip.MustParseAddr("2001:db8::f00b"), math.MaxUint32},
		},
		{Name: "exit policy, address of 3 bytes", Hex: "04 7f0000", Canonical: "04", Msg: End{Reason: EndExitPolicy}},
		{Name: "exit policy, address of 9 bytes", Hex: "04 7f0000070000010000", Canonical: "04", Msg: End{Reason: EndExitPolicy}},
		{Name: "address with another reason", Hex: "06 7f000007 00000100", Canonical: "06", Msg: End{Reason: EndDone}},
	},
	Refused: []wiretest.Refused[End]{
		{Name: "no reason", Msg: End{}, Err: ErrMalformed},
		{Name: "unknown reason", Msg: End{Reason: 15}, Err: ErrMalformed},
	},
	Stricter: ErrMalformed,
}

func TestEnd(t *testing.T) { endTable.Test(t) }
func FuzzEnd(f *testing.F) { endTable.Fuzz(f) }

func TestEndReason(t *testing.T) {
	for r, want := range map[EndReason]string{
		0: "reason 0", EndMisc: "MISC", EndTorProtocol: "TORPROTOCOL", EndNotDirectory: "NOTDIRECTORY", 15: "reason 15", 255: "reason 255",
	} {
		if got := r.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if m, err := ParseEnd([]byte{99}); err != nil || m.Reason != 99 {
		t.Errorf("an unknown reason gives %+v, %v", m, err)
	}
}
