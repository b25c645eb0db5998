package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const (
	maxName  = 253 // octets of a name in text form, without the dot at the end
	maxLabel = 63
)

// refusedTLDs end names that mean nothing to the DNS, or something on the exit's own machine or network alone.
//
// https://www.rfc-editor.org/rfc/rfc6761, rfc6762, rfc7686
var refusedTLDs = []string{"onion", "exit", "noconnect", "localhost", "local"}

// parseHost checks the host of a BEGIN or RESOLVE: a name, whose labels it returns in lower case, or an address in text
// form. absolute tells whether the name had a dot at its end, so that search domains do not apply.
func (r *Resolver) parseHost(host string) (labels []string, absolute bool, addr netip.Addr, err error) {
	if ip, err := netip.ParseAddr(unbracket(host)); err == nil {
		if ip.Zone() != "" {
			return nil, false, ip, ErrBadName
		}
		return nil, false, ip.Unmap(), nil
	}
	host, absolute = strings.CutSuffix(host, ".")
	labels, err = splitName(asciiLower(host), r.cfg.AllowNonRFC953Hostnames)
	if err != nil {
		return nil, false, addr, err
	}
	last := labels[len(labels)-1]
	// Reverse names have their own method; connecting to one makes no sense.
	if slices.Contains(refusedTLDs, last) || isReverse(labels) {
		return nil, false, addr, ErrBadName
	}
	return labels, absolute, addr, nil
}

func isReverse(labels []string) bool {
	n := len(labels)
	return labels[n-1] == "arpa" && (n == 1 || labels[n-2] == "in-addr" || labels[n-2] == "ip6")
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

// asciiLower leaves alone what is not ASCII: the DNS knows no other case, and names need not be UTF-8.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// splitName returns the labels of a name in lower case. With odd, labels may hold whatever is visible; otherwise, as
// address_is_invalid_destination of C tor has it, letters, digits, '-' and '_'.
func splitName(name string, odd bool) ([]string, error) {
	if len(name) == 0 || len(name) > maxName {
		return nil, ErrBadName
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > maxLabel {
			return nil, ErrBadName
		}
		for i := range len(l) {
			if c := l[i]; !isPlain(c) && (!odd || c <= ' ' || c == 0x7f) {
				return nil, ErrBadName
			}
		}
	}
	return labels, nil
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// candidates returns the names that labels may stand for, in the order in which they are to be tried: the name itself comes
// first if it has at least ndots dots, and otherwise after those in the search domains.
func candidates(labels []string, domains []string, ndots int) [][]string {
	own := [][]string{labels}
	var searched [][]string
	for _, d := range domains {
		searched = append(searched, slices.Concat(labels, strings.Split(d, ".")))
	}
	if len(labels)-1 >= ndots {
		return append(own, searched...)
	}
	return append(searched, own...)
}

// A question is what is asked of a server.
type question struct {
	name  string // lower case, in the form of master files, with a dot at the end
	qtype uint16
}

// questionFor returns the question for a name that consists of labels. It fails if the name is too long.
func questionFor(labels []string, qtype uint16) (question, error) {
	var text strings.Builder
	for _, l := range labels {
		for i := range len(l) {
			if c := l[i]; isPlain(c) {
				text.WriteByte(c)
			} else {
				fmt.Fprintf(&text, "\\%03d", c)
			}
		}
		text.WriteByte('.')
	}
	// The detour over the wire gives the form that answers are unpacked to.
	wire := make([]byte, maxName+2)
	n, err := dns.PackDomainName(text.String(), wire, 0, nil, false)
	if err != nil {
		return question{}, ErrBadName
	}
	name, _, err := dns.UnpackDomainName(wire[:n], 0)
	if err != nil {
		return question{}, ErrBadName
	}
	return question{name, qtype}, nil
}
