package config

import (
	"cmp"
	"net/netip"
)

// Outbound is where connections come from; invalid addresses leave it to the system.
type Outbound struct {
	OR4, OR6     netip.Addr // to relays: OutboundBindAddressOR, or OutboundBindAddress
	Exit4, Exit6 netip.Addr // for streams that exit: OutboundBindAddressExit, or OutboundBindAddress
}

func newOutbound(v *Values) (o Outbound, err error) {
	var any4, any6, pt4, pt6 netip.Addr
	for _, t := range []struct {
		name   string
		v4, v6 *netip.Addr
	}{
		{"OutboundBindAddress", &any4, &any6}, {"OutboundBindAddressOR", &o.OR4, &o.OR6},
		{"OutboundBindAddressExit", &o.Exit4, &o.Exit6}, {"OutboundBindAddressPT", &pt4, &pt6},
	} {
		for _, l := range v.Lines(t.name) {
			a, ok := parseIP(l.Value)
			to := t.v4
			if a.Is6() {
				to = t.v6
			}
			switch {
			case !ok:
				return o, l.Errorf("%q is no IP address", l.Value)
			case to.IsValid():
				return o, l.Errorf("only one address of each family can be given")
			case !a.IsUnspecified():
				*to = a
			}
		}
	}
	o.OR4, o.OR6 = cmp.Or(o.OR4, any4), cmp.Or(o.OR6, any6)
	o.Exit4, o.Exit6 = cmp.Or(o.Exit4, any4), cmp.Or(o.Exit6, any6)
	return o, nil
}
