package trusteddirs

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Fallback is a relay that serves the first consensus. Nothing depends on its honesty but time.
type Fallback struct {
	Addr   netip.AddrPort // OR port
	IPv6   netip.AddrPort // OR port; invalid if none
	RSA    [20]byte       // SHA-1 of the relay identity
	Weight float64        // how often to choose it; 1 if the line does not tell
}

var (
	// ErrAddress says that a FallbackDir line has not exactly one address.
	ErrAddress = errors.New("want one address, addr or addr:dirport")
	// ErrMissing says that a FallbackDir line lacks what makes it usable.
	ErrMissing = errors.New("orport= and id= are needed")
)

// ParseFallback parses the value of a FallbackDir line:
//
//	addr[:dirport] orport=N id=HEX [ipv6=[addr]:port] [weight=F]
//
// Like C tor (parse_dir_fallback_line) it ignores words of the form key=value that it does not know, and returns them.
func ParseFallback(line string) (f Fallback, ignored []string, err error) {
	f.Weight = 1
	var orPort uint16
	var hosts []string
	for word := range strings.FieldsSeq(line) {
		key, value, isFlag := strings.Cut(word, "=")
		if !isFlag {
			hosts = append(hosts, word)
			continue
		}
		switch strings.ToLower(key) {
		case "orport":
			orPort, err = port(value)
		case "id":
			f.RSA, err = fingerprint(value)
		case "ipv6":
			f.IPv6, err = addrIPv6(value)
		case "weight":
			f.Weight, err = weight(value)
		default:
			ignored = append(ignored, word)
		}
		if err != nil {
			return f, nil, fmt.Errorf("%s: %w", word, err)
		}
	}
	if len(hosts) != 1 {
		return f, nil, ErrAddress
	}
	if orPort == 0 || f.RSA == [20]byte{} {
		return f, nil, ErrMissing
	}
	host, err := hostOf(hosts[0])
	f.Addr = netip.AddrPortFrom(host, orPort)
	return f, ignored, err
}

// hostOf parses an address that may have a directory port behind it. Nobody asks it any more.
func hostOf(s string) (netip.Addr, error) {
	if a, err := torrc.AddrPort(s); err == nil {
		return a.Addr(), nil
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q: %w", s, ErrAddress)
	}
	return a, nil
}
