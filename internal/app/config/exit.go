package config

import (
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// RelayExit says where streams may go from here.
type RelayExit struct {
	Exit          torrc.AutoBool    // ExitRelay; Own has what follows from it
	IPv6          bool              // IPv6Exit
	Own           exitpolicy.Config // for exitpolicy.Own; its addresses of this machine are not set. Zero: this is no exit
	RejectLocal   bool              // ExitPolicyRejectLocalInterfaces
	RejectPrivate bool
	Reevaluate    bool
	RefuseUnknown torrc.AutoBool // RefuseUnknownExits
}

// newExit decides whether this is an exit, and for what. With ExitRelay auto, it is one only if its operator says
// something else about exiting.
// C tor: policies_parse_exit_policy_from_options.
func newExit(v *Values, relay bool) (e RelayExit, err error) {
	e = RelayExit{
		Exit: v.AutoBool("ExitRelay"), IPv6: v.Bool("IPv6Exit"), RejectLocal: v.Bool("ExitPolicyRejectLocalInterfaces"),
		RejectPrivate: v.Bool("ExitPolicyRejectPrivate"), Reevaluate: v.Bool("ReevaluateExitPolicy"), RefuseUnknown: v.AutoBool("RefuseUnknownExits"),
	}
	says := v.IsSet("ExitPolicy") || v.Bool("ReducedExitPolicy") || v.Bool("IPv6Exit")
	if !e.Exit.Or(says) {
		if relay && e.Exit == torrc.Auto {
			v.tell(safelog.LevelNotice, "By default, Tor does not run as an exit relay. If you want to be an exit relay, set ExitRelay to 1. To suppress this message in the future, set ExitRelay to 0.")
		}
		return e, nil
	}
	e.Own = exitpolicy.Config{IPv6: e.IPv6, RejectPrivate: e.RejectPrivate, Ending: exitpolicy.EndDefault}
	if v.Bool("ReducedExitPolicy") {
		e.Own.Ending = exitpolicy.EndReduced
	}
	if e.Own.Rules, err = v.policy("ExitPolicy", exitpolicy.BareRefused); err == nil {
		v.remarkExitPolicy(e.Own.Rules, e.IPv6)
	}
	return e, err
}

// policy returns the rules of all lines of an option. Those that make no sense are left out with a warning.
func (v *Values) policy(name string, bare exitpolicy.Bare) (p exitpolicy.Policy, err error) {
	for _, l := range v.Lines(name) {
		rules, ignored, err := exitpolicy.ParseList(l.Value, bare)
		if err != nil {
			return nil, l.Errorf("%w", err)
		}
		for _, rule := range ignored {
			v.warn("%s: ignoring %q, which names IPv6 and gives an IPv4 address", name, rule)
		}
		p = append(p, rules...)
	}
	return p, nil
}

// addresses returns the rules of an option that is about addresses alone: ports say nothing there.
func (v *Values) addresses(name string, bare exitpolicy.Bare) (exitpolicy.Policy, error) {
	p, err := v.policy(name, bare)
	narrow := false
	for i := range p {
		narrow = narrow || p[i].Ports != exitpolicy.AllPorts
		p[i].Ports = exitpolicy.AllPorts
	}
	if narrow {
		v.warn("Ignoring ports in %s option.", name)
	}
	return p, err
}

// remarkExitPolicy warns of rules that come too late: all that could match is already decided.
func (v *Values) remarkExitPolicy(p exitpolicy.Policy, ipv6 bool) {
	done4, done6 := false, !ipv6
	for _, r := range p {
		is6 := r.Prefix.Addr().Is6()
		if is6 && !ipv6 {
			continue // it does not matter, wherever it stands
		}
		if done4 && done6 {
			v.warn("Exit policy '%s' and all that follows has no effect, since the rules before it decide about all addresses and ports. Put accept *:* or reject *:* last.", r)
			return
		}
		if r.Prefix.Bits() == 0 && r.Ports == exitpolicy.AllPorts {
			done4, done6 = done4 || !is6, done6 || is6
		}
	}
}
