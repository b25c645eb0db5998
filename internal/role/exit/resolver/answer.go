package resolver

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

const (
	maxRecords = 32 // addresses or names that are taken from one answer
	maxAliases = 16 // CNAMEs that are followed
)

// What a server says about a question. Neither addresses nor names means that there are none.
type answer struct {
	addrs []netip.Addr
	names []string // without the dot at the end
	ttl   uint32   // seconds, as the server gave it; for "there are none" that of the negative answer, 0 if there is no such
}

// parse reads a message that repeats the query in full. It returns errTruncated if TCP is to be used, and otherwise an
// error if the server does not know. Records for other names than the one that was asked for, and for those that this one
// is an alias of, are left out: whoever runs the server of one domain must not have a say about others.
//
// https://www.rfc-editor.org/rfc/rfc1035#section-4
func (q *query) parse(msg []byte) (answer, error) {
	if msg[2]&0x02 != 0 {
		return answer{}, errTruncated
	}
	rcode := int(msg[3] & 0x0f)
	if rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return answer{}, serverError(rcode)
	}
	var m dns.Msg
	if err := m.Unpack(msg); err != nil {
		return answer{}, errGarbage // err's text may hold the name
	}
	if m.Rcode != rcode {
		return answer{}, serverError(m.Rcode) // there was a high part, which no query of ours asks for
	}
	if rcode == dns.RcodeNameError {
		return answer{ttl: negativeTTL(&m)}, nil
	}
	name, ttl := q.name, uint32(math.MaxUint32)
	for range maxAliases {
		a, alias := q.records(&m, name)
		ttl = min(ttl, a.ttl)
		if len(a.addrs)+len(a.names) > 0 {
			a.ttl = ttl
			return a, nil
		}
		if alias == "" {
			return answer{ttl: negativeTTL(&m)}, nil
		}
		name = alias
	}
	return answer{}, errCNAMELoop
}

// A serverError is the RCODE of an answer that says that the server could not do it.
type serverError int

func (e serverError) Error() string {
	name, ok := dns.RcodeToString[int(e)]
	if !ok {
		name = "RCODE" + strconv.Itoa(int(e))
	}
	return "the nameserver says " + name
}

// records returns what m has for one name, and what the name is an alias of, if it is. The TTL is the lowest among both.
func (q *query) records(m *dns.Msg, name string) (a answer, alias string) {
	a.ttl = math.MaxUint32
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.CNAME:
			if alias == "" {
				alias = rr.Target
				a.ttl = min(a.ttl, plainTTL(h.Ttl))
			}
		default:
			if h.Rrtype == q.qtype && a.add(rr) {
				a.ttl = min(a.ttl, plainTTL(h.Ttl))
			}
		}
	}
	return a, alias
}

// add takes a record. It reports whether it did.
func (a *answer) add(rr dns.RR) bool {
	if len(a.addrs)+len(a.names) == maxRecords {
		return false
	}
	switch rr := rr.(type) {
	case *dns.A:
		ip, ok := netip.AddrFromSlice(rr.A)
		if ip = ip.Unmap(); !ok || !ip.Is4() || slices.Contains(a.addrs, ip) {
			return false
		}
		a.addrs = append(a.addrs, ip)
	case *dns.AAAA:
		ip, ok := netip.AddrFromSlice(rr.AAAA)
		// An IPv4 address in IPv6's clothes would be connected to as IPv4, past the policy for it.
		if !ok || !ip.Is6() || ip.Is4In6() || slices.Contains(a.addrs, ip) {
			return false
		}
		a.addrs = append(a.addrs, ip)
	case *dns.PTR:
		name := strings.TrimSuffix(rr.Ptr, ".")
		// Who owns an address chooses its name: nothing but a host name is handed on.
		if _, err := splitName(name, false); err != nil || slices.Contains(a.names, name) {
			return false
		}
		a.names = append(a.names, name)
	default:
		return false
	}
	return true
}

// negativeTTL is how long a negative answer holds, in seconds.
//
// https://www.rfc-editor.org/rfc/rfc2308#section-5
func negativeTTL(m *dns.Msg) uint32 {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(plainTTL(soa.Hdr.Ttl), plainTTL(soa.Minttl))
		}
	}
	return 0
}

// plainTTL is a lifetime as RFC 2181, section 8 has it: those with the highest bit set count as 0.
func plainTTL(seconds uint32) uint32 {
	if seconds>>31 == 1 {
		return 0
	}
	return seconds
}
