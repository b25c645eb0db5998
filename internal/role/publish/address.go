package publish

import (
	"net"
	"net/netip"
	"slices"
)

// A hint is an address that somebody says we have.
type hint struct {
	addr netip.Addr
	who  string // one voice each
}

// maxHints bounds what is kept of what others say.
const maxHints = 16

// addHint takes note of what somebody says, in place of what he said before.
func addHint(list []hint, h hint) []hint {
	list = slices.DeleteFunc(list, func(o hint) bool { return o.who == h.who && o.addr.Is4() == h.addr.Is4() })
	if len(list) == maxHints {
		list = list[1:]
	}
	return append(list, h)
}

// guess chooses the relay's address of a family: what the operator says, what a port is bound to, what the system has, and
// what most authorities say, in this order, as C tor does (find_my_address). It is invalid if there is none.
func (i *Info) guess(v6 bool, system []netip.Addr, hints []hint) netip.Addr {
	fits := func(a netip.Addr) bool { return a.IsValid() && a.Is4() != v6 && i.usable(a) }
	for _, list := range [][]netip.Addr{i.Addrs, i.Bound, system} {
		if j := slices.IndexFunc(list, fits); j >= 0 {
			return list[j]
		}
		if len(i.Addrs) > 0 && slices.ContainsFunc(i.Addrs, func(a netip.Addr) bool { return a.Is4() != v6 }) {
			return netip.Addr{} // the operator has said something that will not do
		}
	}
	votes := map[netip.Addr]int{}
	var best netip.Addr
	for _, h := range hints {
		if fits(h.addr) {
			votes[h.addr]++
			if votes[h.addr] > votes[best] {
				best = h.addr
			}
		}
	}
	return best
}

// usable tells whether a relay may have an address.
func (i *Info) usable(a netip.Addr) bool {
	if a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" || a.Is4In6() {
		return false
	}
	return i.Private || a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) })
}

// reserved are ranges that are neither private nor public: C tor's internal ones (tor_addr_is_internal_).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fec0::/10"),
}

// systemAddrs are the addresses of this machine.
func systemAddrs() (list []netip.Addr) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}
