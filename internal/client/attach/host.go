package attach

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

const maxHost = 253 // octets of a DNS name in text form

// parseHost checks the host of a request: a name, or an address in text form. The address is not valid for a name.
func (a *Attacher) parseHost(host string) (name string, addr netip.Addr, err error) {
	bad := func() (string, netip.Addr, error) {
		return "", netip.Addr{}, fmt.Errorf("%w: %v", ErrBadHost, safelog.Of(host))
	}
	host = strings.TrimRight(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(unbracket(host)); err == nil {
		ip = ip.Unmap()
		if ip.Zone() != "" {
			return bad()
		}
		if a.cfg.RejectInternal && internal(ip) {
			return "", ip, ErrInternal
		}
		return ip.String(), ip, nil
	}
	switch {
	case IsOnion(host):
		return "", addr, ErrOnion
	case host == "" || len(host) > maxHost:
		return bad()
	case strings.HasSuffix(bare(host), ".exit"):
		return "", addr, ErrExitName
	case a.cfg.RejectInternal && (host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local")):
		return "", addr, ErrInternal
	case !a.cfg.OddNames && !validName(host):
		return bad()
	}
	return host, addr, nil
}

// bare is what a careless resolver would make of a host.
func bare(host string) string {
	return strings.TrimRightFunc(strings.ToLower(host), func(r rune) bool { return r == '.' || unicode.IsSpace(r) || unicode.IsControl(r) })
}

// IsOnion tells whether no exit may see a host, since it is meant to be an onion service.
func IsOnion(host string) bool {
	b := bare(host)
	return b == "onion" || strings.HasSuffix(b, ".onion")
}

// unbracket takes the brackets from an IPv6 address in the form of URLs.
func unbracket(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.Contains(inner, ":") {
		if inner, ok := strings.CutSuffix(inner, "]"); ok {
			return inner
		}
	}
	return host
}

// validName tells whether a name holds only letters, digits, '-', '_' and single dots, and no label starts with '-'.
// Anything else may exploit whatever resolves it, and is mostly a mistake.
func validName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// internal tells whether an address means something on the exit's own network only.
func internal(ip netip.Addr) bool { return inet.IsInternal(ip) || ip.IsMulticast() }
