package publish

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/lib/inet"
)

// Method says how an address was found. Its words are C tor's, in the log and in the control protocol.
type Method string

// The methods, in the order in which they are tried (fn_address_table in C tor).
const (
	Configured Method = "CONFIGURED"        // an Address line
	Resolved   Method = "RESOLVED"          // a name in an Address line
	ORPort     Method = "CONFIGURED_ORPORT" // what the ORPort is bound to
	Interface  Method = "INTERFACE"         // an interface of this machine
	Hostname   Method = "GETHOSTNAME"       // the name of this machine
	DirServer  Method = "DIRSERV"           // an authority says so
)

// explicit tells whether the operator has written the very address.
func (m Method) explicit() bool { return m == Configured || m == ORPort }

// sources are where addresses come from, beside Info.
type sources struct {
	named  []netip.Addr // those of Info.Names
	system []netip.Addr // interfaces
	host   []netip.Addr // those of this machine's name
	hints  []hint
}

// A hint is an address that an authority says we have.
type hint struct {
	addr netip.Addr
	who  string // one voice each
	at   time.Time
}

const (
	maxHints = 16        // kept
	hintLife = time.Hour // how much older than the newest one a hint may be
)

// addHint takes note of what somebody says, in place of what he said before. What is much older is forgotten: our address
// may have changed since, and those who said it cannot reach us to say so.
func addHint(list []hint, h hint) []hint {
	list = slices.DeleteFunc(list, func(o hint) bool {
		return o.addr.Is4() == h.addr.Is4() && (o.who == h.who || h.at.Sub(o.at) > hintLife)
	})
	if len(list) >= maxHints {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, h)
}

// guess chooses the relay's address of a family; it is invalid if there is none. The address that the relay has now goes
// before others that are as good: interfaces have no order.
//
// C tor: find_my_address, relay_find_addr_to_publish. Where it believes the authority that spoke last, the most voices
// count here.
func (i *Info) guess(v6 bool, s *sources, now netip.Addr) (netip.Addr, Method) {
	is := func(a netip.Addr) bool { return a.IsValid() && a.Is4() != v6 }
	for _, l := range []struct {
		method Method
		list   []netip.Addr
	}{{Configured, i.Addrs}, {Resolved, s.named}, {ORPort, i.Bound}, {Interface, s.system}, {Hostname, s.host}} {
		fits := func(a netip.Addr) bool { return is(a) && i.usable(a, l.method) }
		if fits(now) && slices.Contains(l.list, now) {
			return now, l.method
		}
		if j := slices.IndexFunc(l.list, fits); j >= 0 {
			return l.list[j], l.method
		}
		// The operator may have said something that will not do, or a name that may have been meant for this family. Another
		// address is not what he wants.
		if l.method == Resolved && (slices.ContainsFunc(i.Addrs, is) || len(i.Names) > 0) {
			return netip.Addr{}, ""
		}
	}
	votes := map[netip.Addr]int{}
	var best netip.Addr
	for _, h := range s.hints {
		if is(h.addr) && i.usable(h.addr, DirServer) {
			votes[h.addr]++
			if votes[h.addr] >= votes[best] { // of several, the newest
				best = h.addr
			}
		}
	}
	return best, DirServer
}

// usable tells whether a relay may have an address. One that is not public must be what the operator wrote, in a
// network where that is of use; or nobody gets to know it (address_can_be_used in C tor).
func (i *Info) usable(a netip.Addr, by Method) bool {
	switch {
	case a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" || a.Is4In6():
		return false
	case inet.IsPublic(a):
		return true
	case i.Private:
		return by.explicit()
	}
	return !i.Publish && i.assumes(a.Is6())
}

// assumes tells whether the operator says that an address can be reached.
func (i *Info) assumes(v6 bool) bool {
	if v6 {
		return i.AssumeIPv6
	}
	return i.AssumeIPv4
}

// isNear tells whether a peer's address is so close to ours that its connection does not show that others reach us
// (is_local_to_resolve_addr in C tor).
func isNear(peer, ours netip.Addr) bool {
	bits := 24
	if ours.Is6() {
		bits = 48
	}
	p, err := ours.Prefix(bits)
	return err != nil || !inet.IsPublic(peer) || p.Contains(peer)
}

// systemAddrs are the addresses of this machine.
func systemAddrs() (list []netip.Addr, err error) {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list, err
}
