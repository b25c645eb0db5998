package publish

import (
	"math"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// clampBW makes a number of bytes a second fit into a descriptor.
func clampBW(n uint64) uint32 { return uint32(min(n, math.MaxInt32)) }

// build makes the descriptor of the moment.
func (p *Publisher) build(or, or6 netip.AddrPort, reason string, now time.Time) (*Documents, error) {
	i := &p.info
	own := []netip.Addr{or.Addr()}
	if or6.IsValid() {
		own = append(own, or6.Addr())
	}
	policy := p.cfg.Policy(own)
	d := &routerdesc.Descriptor{
		Nickname: i.Nickname, OR: or, OR6: or6, Published: now, Platform: i.Platform, Protocols: i.Protocols, Contact: i.Contact,
		Uptime: max(now.Sub(p.started), 0), Hibernating: p.hibernating, HSDir: i.HSDir, DirCache: i.DirCache,
		Family: i.Family, Policy: policy, Policy6: policy.Summarize(true), OverloadGeneral: p.cfg.Overloaded(),
	}
	observed := p.cfg.Observed()
	rate := i.Rate
	if i.MaxAdvertised > 0 {
		rate = min(rate, i.MaxAdvertised)
	}
	d.Bandwidth = routerdesc.Bandwidth{Rate: clampBW(rate), Burst: clampBW(i.Burst), Observed: clampBW(observed)}
	if p.hibernating {
		d.Bandwidth.Observed = 0
	}
	docs := &Documents{OR: or, OR6: or6, Published: now, Hibernating: p.hibernating, reason: reason, observed: observed, policy: policy}
	if p.cfg.ExtraInfo != nil {
		var err error
		if docs.ExtraInfo, err = p.cfg.ExtraInfo(i.Nickname, now); err != nil {
			p.log.Warn("cannot make an extra-info document; the descriptor goes without", "err", err)
		} else if docs.ExtraInfo != nil {
			d.ExtraInfo, d.ExtraInfo256 = docs.ExtraInfo.Digest, docs.ExtraInfo.SHA256
		}
	}
	var err error
	if docs.Descriptor, err = routerdesc.Make(d, p.cfg.Keys().Descriptor(p.cfg.DummyTAP())); err != nil {
		return nil, err
	}
	// What we cannot read ourselves nobody else will.
	parsed, err := routerdesc.Parse(docs.Descriptor)
	if err != nil {
		return nil, err
	}
	docs.Digest = parsed.Digest
	return docs, nil
}
