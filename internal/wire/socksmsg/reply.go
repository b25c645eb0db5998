package socksmsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
)

// ReplyCode is the outcome of a request, in the numbers of SOCKS5.
type ReplyCode uint8

// The codes of https://www.rfc-editor.org/rfc/rfc1928#section-6, then those about onion services, which only go to
// clients that asked for them (ExtendedErrors).
// https://spec.torproject.org/proposals/304-socks5-extending-hs-error-codes.html
const (
	Succeeded           ReplyCode = 0x00
	GeneralFailure      ReplyCode = 0x01
	NotAllowed          ReplyCode = 0x02
	NetUnreachable      ReplyCode = 0x03
	HostUnreachable     ReplyCode = 0x04
	ConnRefused         ReplyCode = 0x05
	TTLExpired          ReplyCode = 0x06 // in Tor: time ran out
	CommandUnsupported  ReplyCode = 0x07
	AddrTypeUnsupported ReplyCode = 0x08

	OnionNotFound      ReplyCode = 0xF0
	OnionInvalid       ReplyCode = 0xF1
	OnionIntroFailed   ReplyCode = 0xF2
	OnionRendFailed    ReplyCode = 0xF3
	OnionMissingAuth   ReplyCode = 0xF4
	OnionWrongAuth     ReplyCode = 0xF5
	OnionBadAddress    ReplyCode = 0xF6
	OnionIntroTimedOut ReplyCode = 0xF7
)

// A SOCKS4 reply has a version of its own and two outcomes.
const (
	replyVersion4 = 0
	reply4Len     = 8
	granted4      = 0x5A
	rejected4     = 0x5B
)

var replyNames = map[ReplyCode]string{
	Succeeded:           "succeeded",
	GeneralFailure:      "general failure",
	NotAllowed:          "not allowed",
	NetUnreachable:      "network unreachable",
	HostUnreachable:     "host unreachable",
	ConnRefused:         "connection refused",
	TTLExpired:          "TTL expired",
	CommandUnsupported:  "command not supported",
	AddrTypeUnsupported: "address type not supported",
	OnionNotFound:       "onion service descriptor not found",
	OnionInvalid:        "onion service descriptor invalid",
	OnionIntroFailed:    "onion service introduction failed",
	OnionRendFailed:     "onion service rendezvous failed",
	OnionMissingAuth:    "onion service client authorization missing",
	OnionWrongAuth:      "onion service client authorization wrong",
	OnionBadAddress:     "onion service address invalid",
	OnionIntroTimedOut:  "onion service introduction timed out",
}

func (c ReplyCode) String() string {
	if s, ok := replyNames[c]; ok {
		return s
	}
	return fmt.Sprintf("reply code %#02x", uint8(c))
}

// Plain returns the code of RFC 1928 that tells about the same of c to clients without ExtendedErrors, as C tor maps it.
func (c ReplyCode) Plain() ReplyCode {
	switch c {
	case OnionNotFound, OnionInvalid, OnionIntroFailed, OnionIntroTimedOut:
		return HostUnreachable
	case OnionRendFailed:
		return TTLExpired
	}
	if c >= OnionNotFound {
		return GeneralFailure
	}
	return c
}

// A Reply answers a Request. Addr, or Name if Addr is not valid, is what a lookup found.
type Reply struct {
	Code ReplyCode
	Addr netip.Addr
	Name string // SOCKS5 only
	Port uint16
}

// AppendTo appends r to b in the given version. A SOCKS5 reply without address and name gets the address 0.0.0.0;
// a SOCKS4 reply carries nothing but IPv4 addresses.
//
//	SOCKS4: 0 u8 | code u8 | port u16 | IPv4 address [4]
//	SOCKS5: version u8 = 5 | code u8 | reserved u8 = 0 | type u8 | address | port u16
func (r Reply) AppendTo(b []byte, version uint8) ([]byte, error) {
	addr := r.Addr.WithZone("")
	if !addr.IsValid() && r.Name == "" {
		addr = netip.IPv4Unspecified()
	}
	switch {
	case version == Version4 && !addr.Is4():
		return nil, fmt.Errorf("SOCKS4 reply: %w", ErrAddrType)
	case version == Version4:
		code := byte(rejected4)
		if r.Code == Succeeded {
			code = granted4
		}
		b = binary.BigEndian.AppendUint16(append(b, replyVersion4, code), r.Port)
		return append(b, addr.AsSlice()...), nil
	case version != Version5:
		return nil, fmt.Errorf("reply: %w", ErrVersion)
	case len(r.Name) > maxNameLen:
		return nil, fmt.Errorf("SOCKS5 reply name: %w", ErrTooLong)
	}
	w := cryptobyte.NewBuilder(b)
	w.AddBytes([]byte{Version5, byte(r.Code), 0})
	addBound(w, addr, r.Name, r.Port)
	return w.Bytes()
}

// ParseReply reads a reply of the given version from the start of buf and returns its length n. Any refusal of SOCKS4 is
// a GeneralFailure. n == 0 without an error means that bytes are missing.
func ParseReply(buf []byte, version uint8) (r Reply, n int, err error) {
	if version == Version4 {
		return parseReply4(buf)
	}
	s := cryptobyte.String(buf)
	var got, code uint8
	switch {
	case !s.ReadUint8(&got):
		return r, 0, nil
	case got != Version5:
		return r, 0, fmt.Errorf("SOCKS5 reply: %w", ErrVersion)
	case !s.ReadUint8(&code), !s.Skip(1):
		return r, 0, nil
	}
	addr, name, port, ok, err := readBound(&s)
	if err != nil {
		return r, 0, fmt.Errorf("SOCKS5 reply: %w", err)
	}
	if !ok {
		return r, 0, nil
	}
	return Reply{ReplyCode(code), addr, string(name), port}, len(buf) - len(s), nil
}

func parseReply4(buf []byte) (r Reply, n int, err error) {
	if len(buf) < reply4Len {
		return r, 0, nil
	}
	if buf[0] != replyVersion4 {
		return r, 0, fmt.Errorf("SOCKS4 reply: %w", ErrVersion)
	}
	r = Reply{GeneralFailure, netip.AddrFrom4([4]byte(buf[4:])), "", binary.BigEndian.Uint16(buf[2:])}
	if buf[1] == granted4 {
		r.Code = Succeeded
	}
	return r, reply4Len, nil
}
