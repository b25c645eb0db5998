package resolver

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Want says which addresses are of use.
type Want struct {
	V4 bool
	V6 bool // IPv6Exit is on
}

// An Answer is what a name stands for.
type Answer struct {
	Addrs []netip.Addr  // at least one; IPv4 first, otherwise in the order of the server; at most 32 of a family
	TTL   time.Duration // to be told to clients, in CONNECTED and RESOLVED; whole seconds
}

// Resolve finds the addresses of the host of a BEGIN or RESOLVE. An address in text form is its own answer. Names that
// RESOLVE has for reverse look-ups are refused: relaymsg.ReverseAddr tells them, and Reverse answers them.
//
// Errors are of type [*Error]. With one family found and the other not, there is no error. Addresses are not compared with
// any exit policy.
//
// Addresses are asked for in both families at once, and waited for, so that the time does not depend on which is used.
func (r *Resolver) Resolve(ctx context.Context, host string, want Want) (Answer, error) {
	labels, absolute, addr, err := r.parseHost(host)
	switch {
	case err != nil:
		return Answer{}, permanent(err)
	case addr.IsValid():
		if addr.Is4() && !want.V4 || addr.Is6() && !want.V6 {
			return Answer{}, permanent(ErrNotFound)
		}
		return Answer{Addrs: []netip.Addr{addr}, TTL: literalTTL}, nil
	}
	names := [][]string{labels}
	if set := r.current(); set != nil && r.cfg.SearchDomains && !absolute {
		names = candidates(labels, set.conf.search, set.conf.ndots)
	}
	failure := permanent(ErrNotFound)
	for _, name := range names {
		a, err := r.resolveName(ctx, name, want)
		switch {
		case err == nil:
			return a, nil
		case errors.Is(err.Err, ErrBadName): // a search domain made it too long
		case !errors.Is(err.Err, ErrNotFound):
			return Answer{}, err
		default:
			failure = err
		}
	}
	return Answer{}, failure
}

// resolveName finds the addresses of one domain name.
func (r *Resolver) resolveName(ctx context.Context, labels []string, want Want) (a Answer, failure *Error) {
	var tickets []ticket
	for _, f := range []struct {
		want  bool
		qtype uint16
	}{{want.V4, dns.TypeA}, {want.V6, dns.TypeAAAA}} {
		if !f.want {
			continue
		}
		q, err := questionFor(labels, f.qtype)
		if err != nil {
			return Answer{}, permanent(err) // for both families, so that no ticket is lost
		}
		tickets = append(tickets, r.begin(q))
	}
	failure = permanent(ErrNotFound)
	for i, t := range tickets {
		out := t.redeem(ctx)
		if out.err == nil {
			out = r.honest(out)
		}
		switch {
		case out.err == nil:
			if a.Addrs = append(a.Addrs, out.addrs...); a.TTL == 0 || out.ttl < a.TTL {
				a.TTL = out.ttl
			}
		case i == 0 || failure.Permanent:
			failure = out.err // what may be better later prevails
		}
	}
	if len(a.Addrs) > 0 {
		return a, nil
	}
	return Answer{}, failure
}

// honest takes from an outcome the addresses that servers give for names that do not exist.
func (r *Resolver) honest(out outcome) outcome {
	addrs := r.hijack.Load().without(out.addrs)
	if len(addrs) == 0 {
		return outcome{err: &Error{Err: ErrNotFound, Permanent: true, TTL: out.ttl}}
	}
	out.addrs = addrs
	return out
}

// Reverse finds the names of an address, without a dot at their ends: at least one, at most 32. Internal addresses are
// refused. ttl and errors are as with Resolve.
func (r *Resolver) Reverse(ctx context.Context, addr netip.Addr) (names []string, ttl time.Duration, err error) {
	if addr = addr.Unmap(); addr.Zone() != "" || inet.IsInternal(addr) {
		return nil, 0, permanent(ErrBadName)
	}
	out := r.begin(question{relaymsg.ReverseName(addr) + ".", dns.TypePTR}).redeem(ctx)
	if out.err != nil {
		return nil, 0, out.err
	}
	return slices.Clone(out.names), out.ttl, nil
}
