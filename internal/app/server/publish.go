package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// protocols is the proto line of our descriptor: what this version speaks as a relay, and nothing else.
const (
	protocols      = "Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSIntro=4-5 HSRend=1-2 Link=3-5 LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-4"
	hsdirProtocols = "Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-4"
)

// platform is the platform line of our descriptor, whose version authorities parse.
func platform(version string) string {
	name, ok := map[string]string{"linux": "Linux", "darwin": "Darwin", "windows": "Windows", "freebsd": "FreeBSD", "openbsd": "OpenBSD", "netbsd": "NetBSD"}[runtime.GOOS]
	if !ok {
		name = runtime.GOOS
	}
	return "Tor " + version + " on " + name
}

// newPublisher makes what keeps the relay in the network.
func (s *Server) newPublisher() *publish.Publisher {
	return publish.New(publish.Config{
		Env: s.cfg.Env, Info: s.cfg.Info, Keys: s.keys.current, Authorities: s.cfg.Authorities,
		Policy:     func(own []netip.Addr) exitpolicy.Policy { return s.ends.setPolicy(*s.ends.cfg.Load(), own) },
		Network:    s.network,
		Observed:   func() uint64 { return s.stats.Observed(s.cfg.Env.Now()) },
		Overloaded: func() time.Time { return s.stats.OverloadGeneral(s.cfg.Env.Now()) },
		ExtraInfo:  s.extraInfo,
		Ready:      func() bool { return s.View() != nil },
		Test:       s.testSelf, TestBandwidth: s.testBandwidth, Lookup: s.cfg.Lookup, Interfaces: s.cfg.Interfaces, Learn: s.learn,
		Published: s.published, Events: &s.bus, Skewed: func() bool { return s.skews.wrong(s.cfg.Env.Now()) },
	})
}

// network tells the publisher what the directory says.
func (s *Server) network(now time.Time) (n publish.Network) {
	v := s.View()
	if v == nil {
		return n
	}
	c := v.Consensus()
	n = publish.Network{Live: !now.Before(c.ValidAfter) && now.Before(c.ValidUntil), ValidAfter: c.ValidAfter, Params: c.Params}
	if r := v.ByRSA(s.keys.current().Fingerprint()); r != nil {
		n.Listed, n.Stale = true, r.Flags.Has(consensus.StaleDesc)
	}
	return n
}

// published gives the relay's documents to its directory cache.
func (s *Server) published(d *publish.Documents) {
	if s.cache == nil {
		return
	}
	if s.authority != nil && s.authority.bridges == nil {
		s.authority.own(d)
	}
	fp := s.keys.current().Fingerprint()
	own := dircache.Own{Descriptor: &dircache.Document{Fingerprint: fp, Digest: d.Digest, Published: d.Published, Text: d.Descriptor}}
	if e := d.ExtraInfo; e != nil {
		own.ExtraInfo = &dircache.Document{Fingerprint: fp, Digest: e.Digest, Published: d.Published, Text: e.Text}
	}
	s.cache.SetOwn(own)
}

// learn connects to one of the authorities, which tells how it sees us; followLinks takes note.
func (s *Server) learn(ctx context.Context) (err error) {
	err = errNoClient
	for _, i := range rand.Perm(len(s.cfg.Trusted)) {
		if _, err = s.links.Get(ctx, s.cfg.Trusted[i]); err == nil {
			break
		}
	}
	return err
}

var errNoClient = errors.New("the client does not run")

// circuitToSelf builds a circuit through others that ends here.
func (s *Server) circuitToSelf(ctx context.Context, addrs ...netip.AddrPort) (*circuit.Circuit, error) {
	c := s.client.Load()
	if c == nil {
		return nil, errNoClient
	}
	k := s.keys.current()
	return c.CircuitTo(ctx, circuit.Hop{
		RSA: k.Fingerprint(), Ed: k.Ed(), HasEd: true, NTor: k.OnionKeys()[0].Public(), V3: true, Addrs: addrs,
	})
}

// testSelf builds a circuit to one of our addresses. Whether it got here, mayCreate sees.
func (s *Server) testSelf(ctx context.Context, addr netip.AddrPort) error {
	c, err := s.circuitToSelf(ctx, addr)
	if err != nil {
		return err
	}
	c.Close()
	return nil
}

// How the bandwidth is tested, as C tor does it (router_perform_bandwidth_test).
const (
	testCircuits = 4
	testCells    = 1000 // on all circuits together
	testRest     = 5 * time.Second
)

// testBandwidth sends cells to ourselves, for there to be a bandwidth that a new relay has shown.
func (s *Server) testBandwidth(ctx context.Context) error {
	d := s.publisher.Current()
	if d == nil {
		return errNoClient
	}
	for range testCircuits {
		c, err := s.circuitToSelf(ctx, d.OR)
		if err != nil {
			return err
		}
		defer c.Close()
		for range testCells / testCircuits {
			if err := c.Tunnel().SendMsg(relaymsg.Msg{Cmd: relaymsg.CmdDrop}); err != nil {
				return err
			}
		}
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(testRest): // for the cells to come home
		return nil
	}
}

// followLinks learns from authorities how they see us and our clock, until ctx ends.
func (s *Server) followLinks(ctx context.Context, sub *event.Sub) error {
	for {
		e, err := event.Next[link.Event](ctx, sub)
		var overrun *event.OverrunError
		switch {
		case errors.As(err, &overrun):
			sub = s.bus.Subscribe(linkEvents)
			continue
		case err != nil:
			return err
		case e.State != link.StateOpen || e.Accepted || !s.isAuthority(e.Target.RSA):
			continue
		}
		s.skews.note(e.Target.RSA, e.Skew, s.cfg.Env.Now())
		if l := s.links.Find(e.Target); l != nil && l.SeenFrom().IsValid() {
			s.publisher.Suggest(l.SeenFrom(), fmt.Sprintf("%X", e.Target.RSA))
		}
	}
}

const linkEvents = 256

// maxSkew is how far our clock may be off, as authorities see it, for a descriptor to be published: they refuse those from the
// future. C tor: NETINFO_NOTICE_SKEW.
const maxSkew = time.Hour

func (s *Server) isAuthority(rsa [20]byte) bool {
	for _, a := range s.cfg.Trusted {
		if a.RSA == rsa {
			return true
		}
	}
	return false
}
