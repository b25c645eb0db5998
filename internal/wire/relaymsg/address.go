package relaymsg

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxName is the longest name that can be resolved.
const maxName = 255

// checkName tells whether a host name consists of printable ASCII and is not too long. What hosts are good to connect to
// is a question of policy.
func checkName(name string) error {
	if len(name) > maxName {
		return ErrTooLong
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return ErrMalformed
		}
	}
	return nil
}

// splitHostPort splits "host:port". The host is a name, which may be empty, an IPv4 address, or an IPv6 address in
// brackets, which are taken off.
func splitHostPort(addr string) (host string, port uint16, err error) {
	colon := strings.LastIndexByte(addr, ':')
	if colon < 0 {
		return "", 0, fmt.Errorf("no port: %w", ErrMalformed)
	}
	host = addr[:colon]
	if port, err = parsePort(addr[colon+1:]); err != nil {
		return "", 0, err
	}
	if err := checkName(host); err != nil {
		return "", 0, fmt.Errorf("host: %w", err)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		if !ok || err != nil || !a.Is6() || a.Zone() != "" {
			return "", 0, fmt.Errorf("IPv6 address: %w", ErrMalformed)
		}
		return inner, port, nil
	}
	if strings.ContainsAny(host, "[]:") {
		return "", 0, fmt.Errorf("host: %w", ErrMalformed)
	}
	return host, port, nil
}

// parsePort parses a port in decimal, "between 1 and 65535, inclusive".
func parsePort(s string) (uint16, error) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("port: %w", ErrMalformed)
		}
	}
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("port: %w", ErrMalformed)
	}
	return uint16(port), nil
}
