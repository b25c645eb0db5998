package exit

import (
	"net/netip"

	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A policy is an exit policy, and what follows from it. It does not change.
type policy struct {
	rules  exitpolicy.Policy
	r4, r6 exitpolicy.Policy // those of one family
	v4, v6 bool              // something in that family may be accepted; v6 stands for IPv6Exit too
}

func newPolicy(rules exitpolicy.Policy) *policy {
	p := &policy{rules: rules, v4: !rules.RejectsAll(false, len(rules) == 0), v6: !rules.RejectsAll(true, len(rules) == 0)}
	for _, r := range rules {
		if r.Prefix.Addr().Is4() {
			p.r4 = append(p.r4, r)
		} else {
			p.r6 = append(p.r6, r)
		}
	}
	return p
}

func (p *policy) exits() bool { return p.v4 || p.v6 }

// allows judges an address. One that is not specified, such as 0.0.0.0, leads to this host and has no place in a rule.
func (p *policy) allows(addr netip.Addr, port uint16) bool {
	return p.exits() && addr.Zone() == "" && addr.IsValid() && !addr.Unmap().IsUnspecified() && p.rules.Judge(addr, port) == exitpolicy.Accepted
}

// mayAllow tells whether it allows any address at all that a name may have, of those that are of use.
func (p *policy) mayAllow(want resolver.Want, port uint16) bool {
	return want.V4 && p.v4 && p.r4.Judge(netip.Addr{}, port) != exitpolicy.Rejected ||
		want.V6 && p.v6 && p.r6.Judge(netip.Addr{}, port) != exitpolicy.Rejected
}

// SetPolicy changes the policy for streams to come. Rejecting all of IPv6 also means that names have no IPv6 addresses
// (IPv6Exit 0).
func (e *Exit) SetPolicy(rules exitpolicy.Policy) { e.policy.Store(newPolicy(rules)) }

// Reevaluate ends the streams that the policy no longer allows, and returns how many (ReevaluateExitPolicy 1).
func (e *Exit) Reevaluate() int {
	p := e.policy.Load()
	var over []*flow
	e.mu.Lock()
	for f := range e.flows {
		if f.conn != nil && !p.allows(f.to.Addr(), f.to.Port()) {
			over = append(over, f)
		}
	}
	e.mu.Unlock()
	for _, f := range over {
		f.s.End(rejected(f.to.Addr()))
		f.conn.Close()
	}
	return len(over)
}

// rejected tells the client which address the policy rejects.
func rejected(addr netip.Addr) relaymsg.End {
	return relaymsg.End{Reason: relaymsg.EndExitPolicy, Addr: addr, TTL: ttl}
}
