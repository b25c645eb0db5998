package torrc

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
)

// Listen says where a port option listens. Exactly one of Off, Path and Addr is set.
type Listen struct {
	Off  bool
	Path string         // of a Unix socket
	Addr netip.AddrPort // port 0 if Auto
	Auto bool           // the system chooses the port
}

// ParseListen parses the beginning of a port option: "9050", "auto", "0", "addr:port", "addr:auto", "unix:path" or
// unix:"path with spaces". A bare port listens on host. It returns the words that follow.
func ParseListen(s string, host netip.Addr) (l Listen, flags []string, err error) {
	s = strings.Trim(s, spaces)
	if quoted, ok := strings.CutPrefix(s, `unix:"`); ok {
		path, rest, err := Unquote(`"` + quoted)
		if err != nil {
			return l, nil, err
		}
		l.Path = path
		return l, strings.Fields(rest), l.checkPath()
	}
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return l, nil, fmt.Errorf("no port or address")
	}
	where, flags := fields[0], fields[1:]
	if path, ok := strings.CutPrefix(where, "unix:"); ok {
		l.Path = path
		return l, flags, l.checkPath()
	}
	if where == "0" {
		return Listen{Off: true}, flags, nil
	}
	port := where
	if i := strings.LastIndexByte(where, ':'); i >= 0 {
		if host, err = parseHost(where[:i]); err != nil {
			return l, nil, err
		}
		port = where[i+1:]
	}
	if strings.EqualFold(port, "auto") {
		return Listen{Addr: netip.AddrPortFrom(host, 0), Auto: true}, flags, nil
	}
	n, err := Int(port, 1, math.MaxUint16)
	if err != nil {
		return l, nil, fmt.Errorf("%q is no port, address:port, auto or unix:path", where)
	}
	l.Addr = netip.AddrPortFrom(host, uint16(n))
	return l, flags, nil
}

func (l Listen) checkPath() error {
	if l.Path == "" {
		return fmt.Errorf("no path behind \"unix:\"")
	}
	return nil
}

// parseHost parses an address, in brackets if it is IPv6, or "localhost". Other names are refused: to look them up
// would ask the network before anything is set up.
func parseHost(s string) (netip.Addr, error) {
	if strings.EqualFold(s, "localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	inner, bracket := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	a, err := netip.ParseAddr(inner)
	if err != nil || bracket != closed || bracket != a.Is6() || a.Zone() != "" {
		return a, fmt.Errorf("%q is no IPv4 address or IPv6 address in brackets", s)
	}
	return a, nil
}

// AddrPort parses "1.2.3.4:port" or "[v6]:port".
func AddrPort(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 || a.Addr().Zone() != "" {
		return a, fmt.Errorf("%q is no address:port", s)
	}
	return a, nil
}
