package socksmsg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// header4Len is the length of what precedes the user ID: version, command, port, address.
const header4Len = 1 + 1 + 2 + 4

// ParseRequest4 reads a SOCKS4 or SOCKS4a request from the start of buf and returns its length n.
// n == 0 without an error means that bytes are missing.
//
//	version u8 = 4 | command u8 | port u16 | IPv4 address [4] | user ID ... 0 [| name ... 0]
//
// The name follows if the address is 0.0.0.x with x not zero.
// https://www.openssh.com/txt/socks4a.protocol
func ParseRequest4(buf []byte) (r Request, n int, err error) {
	if len(buf) < header4Len {
		return r, 0, nil
	}
	if buf[0] != Version4 {
		return r, 0, fmt.Errorf("SOCKS4 request: %w", ErrVersion)
	}
	var name []byte
	addr := netip.AddrFrom4([4]byte(buf[4:]))
	user, rest, ok := cutZero(buf[header4Len:])
	if ok && isName4(addr) {
		addr = netip.Addr{}
		name, rest, ok = cutZero(rest)
	}
	switch {
	case !ok && len(buf) >= MaxMessageLen, ok && len(buf)-len(rest) > MaxMessageLen:
		return r, 0, fmt.Errorf("SOCKS4 request: %w", ErrTooLong)
	case !ok:
		return r, 0, nil
	case addr.IsUnspecified():
		return r, 0, fmt.Errorf("SOCKS4 address 0.0.0.0: %w", ErrHost)
	}
	r = Request{Version: Version4, Command: Command(buf[1]), Port: binary.BigEndian.Uint16(buf[2:]), User: string(user)}
	if err := r.setHost(addr, name); err != nil {
		return r, 0, fmt.Errorf("SOCKS4a name: %w", err)
	}
	return r, len(buf) - len(rest), nil
}

// isName4 recognizes the addresses that no host has, with which SOCKS4a announces a name.
func isName4(a netip.Addr) bool {
	b := a.As4()
	return b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] != 0
}

func cutZero(b []byte) (before, after []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return nil, b, false
	}
	return b[:i], b[i+1:], true
}

// appendRequest4 writes what ParseRequest4 reads.
func appendRequest4(b []byte, r Request) ([]byte, error) {
	addr, err := r.addr()
	switch {
	case err != nil:
		return nil, fmt.Errorf("SOCKS4 request: %w", err)
	case addr.IsValid() && (!addr.Is4() || isName4(addr) || addr.IsUnspecified()):
		return nil, fmt.Errorf("SOCKS4 request: %w", ErrAddrType)
	case r.Pass != "":
		return nil, fmt.Errorf("SOCKS4 has no password: %w", ErrAuthMethod)
	case strings.ContainsRune(r.User, 0) || strings.ContainsRune(r.Host, 0):
		return nil, fmt.Errorf("SOCKS4 text with a zero byte: %w", ErrHost)
	}
	start := len(b)
	b = append(b, Version4, byte(r.Command))
	b = binary.BigEndian.AppendUint16(b, r.Port)
	if addr.IsValid() {
		b = append(b, addr.AsSlice()...)
	} else {
		b = append(b, 0, 0, 0, 1)
	}
	b = append(append(b, r.User...), 0)
	if !addr.IsValid() {
		b = append(append(b, r.Host...), 0)
	}
	if len(b)-start > MaxMessageLen {
		return nil, fmt.Errorf("SOCKS4 request: %w", ErrTooLong)
	}
	return b, nil
}
