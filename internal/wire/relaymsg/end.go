package relaymsg

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"strconv"
)

// EndReason says why a stream was closed.
// https://spec.torproject.org/tor-spec/closing-streams.html
type EndReason uint8

// The reasons of the specification. Others may come, but are not sent.
const (
	EndMisc           EndReason = 1
	EndResolveFailed  EndReason = 2
	EndConnectRefused EndReason = 3
	EndExitPolicy     EndReason = 4
	EndDestroy        EndReason = 5
	EndDone           EndReason = 6
	EndTimeout        EndReason = 7
	EndNoRoute        EndReason = 8
	EndHibernating    EndReason = 9
	EndInternal       EndReason = 10
	EndResourceLimit  EndReason = 11
	EndConnReset      EndReason = 12
	EndTorProtocol    EndReason = 13
	EndNotDirectory   EndReason = 14
)

var endNames = [...]string{
	EndMisc:           "MISC",
	EndResolveFailed:  "RESOLVEFAILED",
	EndConnectRefused: "CONNECTREFUSED",
	EndExitPolicy:     "EXITPOLICY",
	EndDestroy:        "DESTROY",
	EndDone:           "DONE",
	EndTimeout:        "TIMEOUT",
	EndNoRoute:        "NOROUTE",
	EndHibernating:    "HIBERNATING",
	EndInternal:       "INTERNAL",
	EndResourceLimit:  "RESOURCELIMIT",
	EndConnReset:      "CONNRESET",
	EndTorProtocol:    "TORPROTOCOL",
	EndNotDirectory:   "NOTDIRECTORY",
}

func (r EndReason) known() bool { return r != 0 && int(r) < len(endNames) }

// String is the name in the specification, or "reason 77".
func (r EndReason) String() string {
	if r.known() {
		return endNames[r]
	}
	return "reason " + strconv.Itoa(int(r))
}

// End closes a stream.
//
//	reason 1 | address 4 or 16 | TTL 4        address and TTL with EndExitPolicy alone
//
// https://spec.torproject.org/tor-spec/closing-streams.html
type End struct {
	Reason EndReason
	Addr   netip.Addr // with EndExitPolicy, the address that the policy refuses; the zero Addr if it is not given
	TTL    uint32     // with Addr, seconds for which it may be cached
}

// ParseEnd parses the body of an END message; there is no body that is wrong. "Implementations SHOULD accept empty
// RELAY_END messages, and treat them as if they specified REASON_MISC." "If the TTL is absent, it should be treated as if
// it were 0xffffffff. If the address is absent or is the wrong length, the RELAY_END message should be processed anyway."
func ParseEnd(body []byte) (m End, err error) {
	if len(body) == 0 {
		return End{Reason: EndMisc}, nil
	}
	m.Reason = EndReason(body[0])
	if m.Reason != EndExitPolicy {
		return m, nil
	}
	addr := body[1:]
	switch len(addr) {
	case 4, 16:
		m.TTL = math.MaxUint32
	case 4 + 4, 16 + 4:
		n := len(addr) - 4
		m.TTL = binary.BigEndian.Uint32(addr[n:])
		addr = addr[:n]
	}
	if a, ok := netip.AddrFromSlice(addr); ok {
		m.Addr = a
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m End) AppendTo(dst []byte) ([]byte, error) {
	if !m.Reason.known() {
		return nil, fmt.Errorf("END %v: %w", m.Reason, ErrMalformed)
	}
	dst = append(dst, byte(m.Reason))
	if m.Reason == EndExitPolicy && m.Addr.IsValid() {
		dst = append(dst, m.Addr.WithZone("").AsSlice()...)
		dst = binary.BigEndian.AppendUint32(dst, m.TTL)
	}
	return dst, nil
}
