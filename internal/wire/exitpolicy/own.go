package exitpolicy

import (
	"net/netip"
	"strings"
)

// The lists behind ExitPolicy's default and the option ReducedExitPolicy, as C tor has them.
const (
	defaultList = "reject *:25,reject *:119,reject *:135-139,reject *:445,reject *:563,reject *:1214,reject *:4661-4666," +
		"reject *:6346-6429,reject *:6699,reject *:6881-6999,accept *:*"
	reducedPorts = "20-23,43,53,79-81,88,110,143,194,220,389,443,464,465,531,543-544,554,563,587,636,706,749,873,902-904," +
		"981,989-995,1194,1220,1293,1500,1533,1677,1723,1755,1863,2082-2083,2086-2087,2095-2096,2102-2104,3128,3389," +
		"3690,4321,4643,5050,5190,5222-5223,5228,5900,6660-6669,6679,6697,8000,8008,8074,8080,8082,8087-8088," +
		"8232-8233,8332-8333,8443,8888,9418,9999,10000,11371,18080-18081,18089,19294,19638,50002,64738"
)

// Default returns the rules that end the policy of an exit relay unless its operator says otherwise.
func Default() Policy {
	p, _, err := ParseList(defaultList, BareRefused)
	if err != nil {
		panic("exitpolicy: default policy: " + err.Error())
	}
	return p
}

// Reduced returns the rules of the option ReducedExitPolicy: an allow-list of common services.
func Reduced() Policy {
	var p Policy
	for s := range strings.SplitSeq(reducedPorts, ",") {
		ports, err := ParsePortRange(s)
		if err != nil {
			panic("exitpolicy: reduced policy: " + err.Error())
		}
		p = append(p, Rule{true, all4, ports}, Rule{true, all6, ports})
	}
	return append(p, rejectStar()...)
}

func rejectStar() Policy { return Policy{{false, all4, AllPorts}, {false, all6, AllPorts}} }

// Ending is what follows the operator's own rules.
type Ending uint8

// The endings: nothing but "reject *:*" (a relay that is no exit, or whose rules end so), or one of the stock lists.
const (
	EndReject Ending = iota
	EndDefault
	EndReduced
)

// Config is what makes up the policy of our own relay.
type Config struct {
	IPv6          bool         // exit to IPv6 at all
	RejectPrivate bool         // never exit to private networks
	RejectAddrs   []netip.Addr // our own addresses; those that are not public are skipped
	Rules         Policy       // from the operator
	Ending        Ending
}

// Own returns the policy of our own relay, without rules that cannot matter.
// Its cost is quadratic in the number of rules, which the operator chose.
func Own(c Config) Policy {
	var p Policy
	if !c.IPv6 {
		p = append(p, Rule{false, all6, AllPorts})
	}
	if c.RejectPrivate {
		for _, net := range privateNets {
			p = append(p, Rule{false, net, AllPorts})
		}
	}
	for _, addr := range c.RejectAddrs {
		addr = addr.Unmap().WithZone("")
		if addr.IsValid() && !isPrivate(addr) && !addr.IsMulticast() && (addr.Is4() || c.IPv6) {
			p = append(p, Rule{false, netip.PrefixFrom(addr, addr.BitLen()), AllPorts})
		}
	}
	p = append(p, c.Rules...)
	switch c.Ending {
	case EndReduced:
		p = append(p, Reduced()...)
	case EndDefault:
		p = append(p, Default()...)
	default:
		p = append(p, rejectStar()...)
	}
	return simplify(p)
}

// simplify drops the rules of p that cannot matter, and keeps the order of the rest. It changes p.
func simplify(p Policy) Policy {
	p = dropShadowed(p)
	return dropAnticipated(p)
}

// dropShadowed drops each rule that an earlier one covers, whatever either says.
func dropShadowed(p Policy) Policy {
	kept := p[:0]
next:
	for _, r := range p {
		for _, k := range kept {
			if k.covers(r) {
				continue next
			}
		}
		kept = append(kept, r)
	}
	return kept
}

// dropAnticipated drops each rule that a later one covers and agrees with, if no rule in between that says otherwise
// touches the same destinations.
func dropAnticipated(p Policy) Policy {
	kept := p[:0]
next:
	for i, r := range p {
		for _, later := range p[i+1:] {
			if later.Accept != r.Accept && later.intersects(r) {
				break
			}
			if later.Accept == r.Accept && later.covers(r) {
				continue next
			}
		}
		kept = append(kept, r)
	}
	return kept
}

// covers reports whether r matches each destination that s matches.
func (r Rule) covers(s Rule) bool {
	return r.Prefix.Bits() <= s.Prefix.Bits() && r.Prefix.Contains(s.Prefix.Addr()) &&
		r.Ports.Low <= s.Ports.Low && s.Ports.High <= r.Ports.High
}

// intersects reports whether some destination matches both rules.
func (r Rule) intersects(s Rule) bool {
	return r.Prefix.Overlaps(s.Prefix) && r.Ports.Low <= s.Ports.High && s.Ports.Low <= r.Ports.High
}
