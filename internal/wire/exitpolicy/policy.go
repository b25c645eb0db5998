package exitpolicy

import "net/netip"

// Policy is a list of rules. The first that matches decides; if none does, the destination is accepted.
type Policy []Rule

// Verdict is what a policy says of a destination, from the most to the least strict.
type Verdict uint8

// The verdicts. The middle two arise when the address or the port is not known, or from a summary.
const (
	Rejected Verdict = iota
	ProbablyRejected
	ProbablyAccepted
	Accepted
)

func (v Verdict) String() string {
	switch v {
	case Rejected:
		return "rejected"
	case ProbablyRejected:
		return "probably rejected"
	case ProbablyAccepted:
		return "probably accepted"
	case Accepted:
		return "accepted"
	}
	return "unknown verdict"
}

// Judge says what the policy does with a destination. The zero or unspecified address stands for an unknown one, and
// port 0 for an unknown port; if both are unknown the verdict is Rejected.
//
// An IPv4-mapped IPv6 address reaches an IPv4 host, so it must pass both as what it is and as what it means.
func (p Policy) Judge(addr netip.Addr, port uint16) Verdict {
	addr = addr.WithZone("")
	known := addr.IsValid() && !addr.IsUnspecified()
	switch {
	case !known && port == 0:
		return Rejected
	case known && addr.Is4In6():
		return min(p.judge(addr, port), p.judge(addr.Unmap(), port))
	case known:
		return p.judge(addr, port)
	}
	return p.judge(netip.Addr{}, port)
}

// judge finds the first rule that matches for sure. A rule that might match before it, and says otherwise, weakens the
// verdict.
func (p Policy) judge(addr netip.Addr, port uint16) Verdict {
	var maybeAccept, maybeReject bool
	for _, r := range p {
		if addr.IsValid() && !r.Prefix.Contains(addr) || port != 0 && !r.Ports.Contains(port) {
			continue
		}
		certain := (addr.IsValid() || r.everywhere()) && (port != 0 || r.Ports == AllPorts)
		switch {
		case certain && r.Accept:
			return weaken(Accepted, ProbablyAccepted, maybeReject)
		case certain:
			return weaken(Rejected, ProbablyRejected, maybeAccept)
		case r.Accept:
			maybeAccept = true
		default:
			maybeReject = true
		}
	}
	return weaken(Accepted, ProbablyAccepted, maybeReject)
}

func weaken(certain, probable Verdict, doubt bool) Verdict {
	if doubt {
		return probable
	}
	return certain
}

// RejectsAll reports whether the policy surely rejects every IPv4 destination (or IPv6, if ipv6 is set). A policy
// without a rule that decides so says orElse.
func (p Policy) RejectsAll(ipv6, orElse bool) bool {
	for _, r := range p {
		if r.is4() == ipv6 {
			continue
		}
		if r.Accept {
			return false
		}
		if r.everywhere() && r.Ports == AllPorts {
			return true
		}
	}
	return orElse
}

// IsGeneralExit reports whether the policy accepts ports 80 and 443 to at least one public IPv4 /8 each, which is what
// authorities ask of a relay with the Exit flag. With allowPrivate, private networks count too, as they must in a
// network that consists of them.
// https://spec.torproject.org/dir-spec/assigning-flags-vote.html
func (p Policy) IsGeneralExit(allowPrivate bool) bool {
	return p.acceptsSlash8(80, allowPrivate) && p.acceptsSlash8(443, allowPrivate)
}

func (p Policy) acceptsSlash8(port uint16, allowPrivate bool) bool {
	var rejected [256]bool // networks of which an earlier rule rejects a part
	for _, r := range p {
		if !r.is4() || !r.Ports.Contains(port) {
			continue
		}
		first := int(r.Prefix.Masked().Addr().As4()[0])
		last := first
		if n := r.Prefix.Bits(); n < 8 {
			last += 1<<(8-n) - 1
		}
		for i := first; i <= last; i++ {
			// C tor tests the network's first address here (exit_policy_is_general_exit_helper).
			if rejected[i] || !allowPrivate && isPrivate(netip.AddrFrom4([4]byte{byte(i)})) {
				continue
			}
			if !r.Accept {
				rejected[i] = true
			} else if r.Prefix.Bits() <= 8 {
				return true
			}
		}
	}
	return false
}

func isPrivate(addr netip.Addr) bool {
	for _, net := range privateNets {
		if net.Contains(addr) {
			return true
		}
	}
	return false
}

// AppendDescriptor appends the IPv4 rules as the lines of a router descriptor; C tor leaves IPv6 rules out of them.
func (p Policy) AppendDescriptor(dst []byte) []byte {
	for _, r := range p {
		if r.is4() {
			dst = append(r.AppendDescriptor(dst), '\n')
		}
	}
	return dst
}
