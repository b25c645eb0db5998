package relaymsg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Flags in BEGIN, about the addresses that the exit may connect to. Others are reserved, and ignored.
const (
	BeginIPv6OK        uint32 = 1 << 0
	BeginIPv4NotOK     uint32 = 1 << 1
	BeginIPv6Preferred uint32 = 1 << 2
)

// Begin opens a stream to a host, or, on a rendezvous circuit, to a port of the onion service.
//
//	address, as host:port | NUL | flags 4, may be missing
//
// https://spec.torproject.org/tor-spec/opening-streams.html
type Begin struct {
	Addr  string // host:port; IPv6 hosts in brackets, no host for onion services
	Flags uint32
}

// NewBegin makes a Begin to a name or an address (IPv6 with brackets or without) or, for onion services, to "".
func NewBegin(host string, port uint16, flags uint32) (Begin, error) {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	// "The ADDRPORT string SHOULD be sent in lower case, to avoid fingerprinting."
	m := Begin{Addr: strings.ToLower(host) + ":" + strconv.Itoa(int(port)), Flags: flags}
	if _, _, err := m.HostPort(); err != nil {
		return Begin{}, err
	}
	return m, nil
}

// ParseBegin parses the body of a BEGIN message. The answer to an error is END with EndTorProtocol.
func ParseBegin(body []byte) (Begin, error) {
	nul := bytes.IndexByte(body, 0)
	if nul < 0 {
		return Begin{}, fmt.Errorf("BEGIN address without NUL: %w", ErrTruncated)
	}
	m := Begin{Addr: string(body[:nul])}
	if flags := body[nul+1:]; len(flags) >= 4 {
		m.Flags = binary.BigEndian.Uint32(flags)
	}
	if _, _, err := m.HostPort(); err != nil {
		return Begin{}, err
	}
	return m, nil
}

// HostPort splits the address; an IPv6 host comes without brackets. It does not fail on what ParseBegin or NewBegin made.
func (m Begin) HostPort() (host string, port uint16, err error) {
	host, port, err = splitHostPort(m.Addr)
	if err != nil {
		return "", 0, fmt.Errorf("BEGIN address: %w", err)
	}
	return host, port, nil
}

// AppendTo appends the body of m to dst.
func (m Begin) AppendTo(dst []byte) ([]byte, error) {
	if _, _, err := m.HostPort(); err != nil {
		return nil, err
	}
	dst = append(dst, m.Addr...)
	dst = append(dst, 0)
	if m.Flags != 0 {
		dst = binary.BigEndian.AppendUint32(dst, m.Flags)
	}
	return dst, nil
}
