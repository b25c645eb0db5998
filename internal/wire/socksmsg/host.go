package socksmsg

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// ParseHost checks the text of a destination, an address or a name, and returns it in the one form that we use: lower
// case, addresses without brackets.
//
// It is as liberal about names as C tor (string_is_valid_nonrfc_hostname): underscores within a label and one trailing
// dot pass; bytes beyond ASCII, which would be put into a BEGIN message as they are, do not.
func ParseHost(s string) (string, error) {
	if len(s) == 0 || len(s) > maxNameLen {
		return "", fmt.Errorf("%d bytes: %w", len(s), ErrHost)
	}
	bare := s
	if s[0] == '[' && s[len(s)-1] == ']' {
		bare = s[1 : len(s)-1]
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		if a.Zone() != "" {
			return "", fmt.Errorf("address with a zone: %w", ErrHost)
		}
		return a.String(), nil
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if !validLabel(label) {
			return "", ErrHost // the name stays out of the text: it says where a user goes
		}
	}
	return strings.ToLower(s), nil
}

func validLabel(label string) bool {
	if label == "" || label[0] == '-' || label[0] == '_' {
		return false
	}
	for _, c := range []byte(label) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// readBound reads the address and port of a SOCKS5 message. Either addr is valid, or name holds the bytes of a name.
// ok is false while bytes are missing.
func readBound(s *cryptobyte.String) (addr netip.Addr, name []byte, port uint16, ok bool, err error) {
	var kind uint8
	if !s.ReadUint8(&kind) {
		return addr, nil, 0, false, nil
	}
	var raw []byte
	switch kind {
	case typeIPv4:
		ok = s.ReadBytes(&raw, 4)
	case typeIPv6:
		ok = s.ReadBytes(&raw, 16)
	case typeName:
		ok = s.ReadUint8LengthPrefixed((*cryptobyte.String)(&name))
	default:
		return addr, nil, 0, false, fmt.Errorf("%d: %w", kind, ErrAddrType)
	}
	if !ok || !s.ReadUint16(&port) {
		return addr, nil, 0, false, nil
	}
	if kind != typeName {
		addr, _ = netip.AddrFromSlice(raw)
	}
	return addr, name, port, true, nil
}

// addBound writes what readBound reads: addr if it is valid, otherwise name.
func addBound(b *cryptobyte.Builder, addr netip.Addr, name string, port uint16) {
	switch {
	case addr.Is4():
		b.AddUint8(typeIPv4)
		b.AddBytes(addr.AsSlice())
	case addr.IsValid():
		b.AddUint8(typeIPv6)
		b.AddBytes(addr.AsSlice())
	default:
		b.AddUint8(typeName)
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
	}
	b.AddUint16(port)
}
