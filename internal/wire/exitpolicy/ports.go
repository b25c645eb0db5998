package exitpolicy

import (
	"fmt"
	"strconv"
	"strings"
)

// PortRange is the ports Low to High, both included. In a valid range 1 <= Low <= High.
type PortRange struct{ Low, High uint16 }

// AllPorts is the range written "*".
var AllPorts = PortRange{1, 65535}

// Contains reports whether port lies in r.
func (r PortRange) Contains(port uint16) bool { return r.Low <= port && port <= r.High }

// ParsePortRange parses "80", "80-90" or "*". The empty text means all ports, as in a pattern without a port.
// Port 0 is refused: it once got through to authorities and stopped them.
func ParsePortRange(s string) (PortRange, error) {
	if s == "" || s == "*" {
		return AllPorts, nil
	}
	lowText, highText, isRange := strings.Cut(s, "-")
	low, ok := parsePort(lowText)
	high := low
	if ok && isRange {
		high, ok = parsePort(highText)
	}
	if !ok || low > high {
		return PortRange{}, fmt.Errorf("%q: %w", s, ErrPort)
	}
	return PortRange{low, high}, nil
}

// parsePort parses a decimal port from 1 to 65535.
func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n != 0
}

// AppendTo appends "80" or "80-90" to dst; all ports are "1-65535", as in a summary.
func (r PortRange) AppendTo(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(r.Low), 10)
	if r.High != r.Low {
		dst = append(dst, '-')
		dst = strconv.AppendUint(dst, uint64(r.High), 10)
	}
	return dst
}
