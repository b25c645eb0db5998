package netdoc

import "fmt"

// ParseIPv4 reads an address in dotted form.
func ParseIPv4(b []byte) (a [4]byte, err error) {
	part, digits, n := 0, 0, 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9' && digits < 3 && (digits == 0 || n > 0): // no leading zeros
			n = n*10 + int(c-'0')
			digits++
		case c == '.' && digits > 0 && n < 256 && part < 3:
			a[part] = byte(n)
			part, digits, n = part+1, 0, 0
		default:
			return [4]byte{}, fmt.Errorf("IPv4 address: %w", ErrBadValue)
		}
	}
	if part != 3 || digits == 0 || n > 255 {
		return [4]byte{}, fmt.Errorf("IPv4 address: %w", ErrBadValue)
	}
	a[3] = byte(n)
	return a, nil
}

// ParseIPv6Port reads an address in brackets and a port, as on an a line: [2001:db8::1]:9001. Unlike package netip it
// allocates nothing, and takes neither zones nor an IPv4 address in the last 32 bits, which no relay has.
func ParseIPv6Port(b []byte) (a [16]byte, port uint16, err error) {
	end := len(b) - 1
	for end >= 0 && b[end] != ']' {
		end--
	}
	if end < 1 || b[0] != '[' || end+1 >= len(b) || b[end+1] != ':' || !parseIPv6(&a, b[1:end]) {
		return [16]byte{}, 0, fmt.Errorf("IPv6 address: %w", ErrBadValue)
	}
	if port, err = ParsePort(b[end+2:]); err != nil {
		return [16]byte{}, 0, err
	}
	return a, port, nil
}

// parseIPv6 reads groups of hexadecimal digits, with :: for at least one zero group.
func parseIPv6(a *[16]byte, b []byte) bool {
	n, gap := 0, -1 // bytes written; where :: was
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = 0, b[2:]
	}
	for len(b) > 0 {
		group, digits := 0, 0
		for ; digits < len(b) && b[digits] != ':'; digits++ {
			d := hexDigit(b[digits])
			if d < 0 || digits == 4 {
				return false
			}
			group = group<<4 | d
		}
		if digits == 0 || n == len(a) {
			return false
		}
		a[n], a[n+1] = byte(group>>8), byte(group)
		n, b = n+2, b[digits:]
		switch {
		case len(b) == 0:
		case len(b) >= 2 && b[1] == ':' && gap < 0:
			gap, b = n, b[2:]
		default:
			if b = b[1:]; len(b) == 0 {
				return false // a colon at the end
			}
		}
	}
	if gap < 0 {
		return n == len(a)
	}
	if n == len(a) {
		return false // :: stands for nothing
	}
	moved := copy(a[len(a)-(n-gap):], a[gap:n])
	clear(a[gap : len(a)-moved])
	return true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
