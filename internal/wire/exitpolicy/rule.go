package exitpolicy

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// Rule accepts or rejects the destinations of one address prefix and port range.
type Rule struct {
	Accept bool
	// Prefix is as written: bits beyond the mask may be set, and are ignored. Bits() == 0 means every address of the
	// family.
	Prefix netip.Prefix
	Ports  PortRange
}

var (
	all4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	all6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// privateNets is what "private" stands for. Authorities also leave exactly these prefixes out when they summarize, so
// the list is part of the consensus and must not change.
var privateNets = func() (nets []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "169.254.0.0/16", "127.0.0.0/8", "192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12",
		"::/8", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "::/127",
	} {
		nets = append(nets, netip.MustParsePrefix(s))
	}
	return nets
}()

// is4 reports whether the rule is about IPv4.
func (r Rule) is4() bool { return r.Prefix.Addr().Is4() }

// everywhere reports whether the rule matches each address of its family.
func (r Rule) everywhere() bool { return r.Prefix.Bits() == 0 }

// ParseRule parses a rule of a router descriptor: keyword "accept" or "reject" and its one argument. There, "*" means
// all of IPv4, and IPv6 addresses are not allowed; "private" expands to several rules.
//
// C tor refuses whole descriptors that use accept6 or reject6 (router_parse_entry_from_string), and so do we: IPv6 is
// told by the ipv6-policy line.
func ParseRule(keyword, arg string) ([]Rule, error) {
	if keyword != "accept" && keyword != "reject" {
		return nil, fmt.Errorf("%q: %w", keyword, ErrSyntax)
	}
	accept := keyword == "accept"
	if strings.HasPrefix(arg, "private") {
		return parsePrivate(accept, arg)
	}
	r, err := parsePattern(accept, arg)
	if err != nil {
		return nil, err
	}
	if !r.is4() {
		return nil, fmt.Errorf("%s %s: %w", keyword, arg, ErrFamily)
	}
	return []Rule{r}, nil
}

// parsePrivate expands "private:ports" to a rule for each private network, of both families.
func parsePrivate(accept bool, arg string) ([]Rule, error) {
	portText, ok := strings.CutPrefix(arg, "private:")
	if !ok {
		return nil, fmt.Errorf("%q: %w", arg, ErrSyntax)
	}
	ports, err := ParsePortRange(portText)
	if err != nil {
		return nil, err
	}
	rules := make([]Rule, len(privateNets))
	for i, net := range privateNets {
		rules[i] = Rule{accept, net, ports}
	}
	return rules, nil
}

// maxPattern bounds an address pattern: the longest IPv6 address, a mask and a port range fit with room to spare.
const maxPattern = 96

// parsePattern parses "address[/mask][:ports]". "*" is all of IPv4. An IPv6 address stands in brackets, or has a mask
// that tells where it ends.
func parsePattern(accept bool, s string) (Rule, error) {
	if len(s) > maxPattern {
		return Rule{}, ErrTooLong
	}
	var host, rest string
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if host, rest, ok = strings.Cut(inner, "]"); !ok {
			return Rule{}, fmt.Errorf("%q: no closing bracket: %w", s, ErrAddress)
		}
	} else if i := strings.IndexByte(s, '/'); i >= 0 {
		host, rest = s[:i], s[i:]
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, rest = s[:i], s[i:]
	} else {
		host = s
	}
	rest, portText, _ := strings.Cut(rest, ":")
	ports, err := ParsePortRange(portText)
	if err != nil {
		return Rule{}, err
	}
	prefix, err := parsePrefix(host, rest)
	if err != nil {
		return Rule{}, fmt.Errorf("%q: %w", s, err)
	}
	return Rule{accept, prefix, ports}, nil
}

// parsePrefix joins an address and what follows it up to the port: nothing, or a slash and a mask.
func parsePrefix(host, slashMask string) (netip.Prefix, error) {
	maskText, hasMask := strings.CutPrefix(slashMask, "/")
	if !hasMask && slashMask != "" {
		return netip.Prefix{}, ErrAddress
	}
	if host == "*" {
		if hasMask {
			return netip.Prefix{}, fmt.Errorf("mask on a wildcard: %w", ErrAddress)
		}
		return all4, nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, ErrAddress
	}
	if !hasMask {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	n, ok := parseMask(maskText)
	if addr.Is4In6() && n <= 32 {
		n += 96 // a mask that was written for the IPv4 address inside
	}
	if !ok || n > addr.BitLen() || addr.Is4In6() && n < 96 {
		return netip.Prefix{}, fmt.Errorf("bad mask: %w", ErrAddress)
	}
	return netip.PrefixFrom(addr, n), nil
}

// parseMask parses a number of bits, or an IPv4 netmask such as 255.255.0.0.
func parseMask(s string) (n int, ok bool) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return int(n), true
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return 0, false
	}
	b := addr.As4()
	mask := binary.BigEndian.Uint32(b[:])
	n = bits.LeadingZeros32(^mask)
	return n, mask == ^uint32(0)<<(32-n)
}

// String returns the rule as in a torrc: "accept *4:80".
func (r Rule) String() string {
	star := "*6"
	if r.is4() {
		star = "*4"
	}
	return string(r.appendTo(nil, "", star))
}

// AppendDescriptor appends the rule as in a router descriptor, without a newline: "accept *:80", or "accept6 *:80" for
// IPv6.
func (r Rule) AppendDescriptor(dst []byte) []byte {
	suffix := "6"
	if r.is4() {
		suffix = ""
	}
	return r.appendTo(dst, suffix, "*")
}

func (r Rule) appendTo(dst []byte, suffix, star string) []byte {
	if r.Accept {
		dst = append(dst, "accept"...)
	} else {
		dst = append(dst, "reject"...)
	}
	dst = append(dst, suffix...)
	dst = append(dst, ' ')
	addr, n := r.Prefix.Addr(), r.Prefix.Bits()
	switch {
	case n == 0:
		dst = append(dst, star...)
	case addr.Is4():
		dst = addr.AppendTo(dst)
	default:
		dst = append(dst, '[')
		dst = addr.AppendTo(dst)
		dst = append(dst, ']')
	}
	if n > 0 && n < addr.BitLen() {
		dst = append(dst, '/')
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	dst = append(dst, ':')
	if r.Ports == AllPorts {
		return append(dst, '*')
	}
	return r.Ports.AppendTo(dst)
}
