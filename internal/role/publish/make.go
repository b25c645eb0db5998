package publish

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/relayname"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// rate is what the operator allows, in bytes a second (relay_get_effective_bwrate in C tor).
func (i *Info) rate() uint64 {
	if i.MaxAdvertised > 0 {
		return min(i.Rate, i.MaxAdvertised)
	}
	return i.Rate
}

// leastDirRate is the bandwidth below which a relay is no directory cache, in bytes a second.
const leastDirRate = 51200

// dirCache tells whether to be a directory cache, and if not although the operator has no objection, why. Directory
// traffic must not use up what AccountingMax leaves (router_should_be_dirserver in C tor).
func (i *Info) dirCache() (ok bool, why string) {
	switch {
	case !i.DirCache:
		return false, ""
	case i.AccountingRate > 0:
		if i.rate() >= i.AccountingRate {
			return false, "AccountingMax enabled"
		}
	case i.rate() < leastDirRate:
		return false, "BandwidthRate under 50KB"
	}
	return true, ""
}

// family is MyFamily as descriptors have it: in the one order that makes microdescriptors of one family alike, the relay
// itself included. A family of nobody else is none.
//
// C tor: get_my_declared_family, nodefamily_format.
func (i *Info) family(self [20]byte) []string {
	me := relayname.FormatFingerprint(self)
	list := []string{me}
	for _, m := range i.Family {
		if id, ok := relayname.ParseFingerprint(m); ok {
			list = append(list, relayname.FormatFingerprint(id))
		} else if !strings.EqualFold(m, i.Nickname) {
			list = append(list, strings.ToLower(m))
		}
	}
	slices.Sort(list) // "$" sorts before names
	if list = slices.Compact(list); len(list) == 1 {
		return nil
	}
	return list
}

// clamp makes a number of bytes a second fit into a descriptor.
func clamp(n uint64) uint32 { return uint32(min(n, math.MaxInt32)) }

// observed is the bandwidth to tell, in bytes a second.
func (p *Publisher) observed() uint64 {
	if p.hibernating {
		return 0
	}
	return p.cfg.Observed()
}

// facts are those of the moment.
func (p *Publisher) facts() facts {
	f := facts{or: p.v4.or, observed: p.observed(), hibernating: p.hibernating, overloaded: !p.cfg.Overloaded().IsZero()}
	if p.good(&p.v6) {
		f.or6 = p.v6.or
	}
	k := p.cfg.Keys()
	f.onion, f.signing = k.OnionKeys()[0].Public(), k.SigningCert().Key
	for _, id := range k.FamilyIDs() {
		f.families += string(id[:])
	}
	return f
}

// policy is the exit policy. It is asked with all addresses that the relay has, published or not: exits keep off them.
func (p *Publisher) policy() exitpolicy.Policy {
	var addrs []netip.Addr
	for _, f := range p.families() {
		if f.or.IsValid() {
			addrs = append(addrs, f.or.Addr())
		}
	}
	return p.cfg.Policy(addrs)
}

var errTooLarge = errors.New("larger than authorities take")

// build makes the descriptor of the moment.
func (p *Publisher) build(f facts, reason string, now time.Time) (*Documents, error) {
	now = now.Truncate(time.Second)
	i, keys := &p.info, p.cfg.Keys()
	policy := p.policy()
	d := &routerdesc.Descriptor{
		Nickname: i.Nickname, OR: f.or, OR6: f.or6, Published: now, Platform: i.Platform, Protocols: i.Protocols, Contact: i.Contact,
		Bandwidth: routerdesc.Bandwidth{Rate: clamp(i.rate()), Burst: clamp(i.Burst), Observed: clamp(f.observed)},
		Uptime:    p.uptime(now), Hibernating: f.hibernating, HSDir: i.HSDir, DirCache: p.dirCache(),
		Family: i.family(keys.Fingerprint()), Policy: policy, Policy6: policy.Summarize(true), OverloadGeneral: p.cfg.Overloaded(),
	}
	docs := &Documents{OR: f.or, OR6: f.or6, Published: now, Hibernating: f.hibernating, reason: reason, facts: f, policy: policy}
	if docs.ExtraInfo = p.extraInfo(now); docs.ExtraInfo != nil {
		d.ExtraInfo, d.ExtraInfo256 = docs.ExtraInfo.Digest, docs.ExtraInfo.SHA256
	}
	var err error
	if docs.Descriptor, err = routerdesc.Make(d, keys.Descriptor(p.dummyTAP())); err != nil {
		return nil, err
	}
	if n := len(docs.Descriptor); n > routerdesc.MaxUpload {
		return nil, fmt.Errorf("%d bytes, %w: shorten MyFamily or ExitPolicy", n, errTooLarge)
	}
	// What we cannot read ourselves nobody else will.
	parsed, err := routerdesc.Parse(docs.Descriptor)
	if err != nil {
		return nil, err
	}
	docs.Digest = parsed.Digest
	return docs, nil
}

// extraInfo makes the document that goes with a descriptor. Without one, the descriptor is as good.
func (p *Publisher) extraInfo(now time.Time) *ExtraInfo {
	if p.cfg.ExtraInfo == nil {
		return nil
	}
	e, err := p.cfg.ExtraInfo(p.info.Nickname, now)
	if err == nil && e != nil && len(e.Text) > routerdesc.MaxUpload {
		err = fmt.Errorf("%d bytes, %w", len(e.Text), errTooLarge)
	}
	if err != nil {
		p.once("extra-info", "Cannot make an extra-info document, and do without: %v", err)
		return nil
	}
	p.forget("extra-info")
	return e
}

// dirCache tells whether to publish that directory requests are answered, and logs when that changes.
func (p *Publisher) dirCache() bool {
	ok, why := p.info.dirCache()
	if why != p.noDirCache {
		if p.noDirCache = why; why == "" {
			p.notice("Advertising directory service support")
		} else {
			p.notice(fmt.Sprintf("Not advertising Directory Service support (Reason: %s)", why))
		}
	}
	return ok
}
