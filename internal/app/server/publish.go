package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// protocols is the proto line of our descriptor: what this version speaks as a relay, and nothing else.
const protocols = "Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 Link=3-5 LinkAuth=3 Microdesc=1-3 Relay=2-4"

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
		Policy: func(own []netip.Addr) exitpolicy.Policy { return s.ends.setPolicy(*s.ends.cfg.Load(), own) },
		DummyTAP: func() bool {
			v := s.View()
			return v == nil || v.Consensus().Params.Of(params.PublishDummyTAP) != 0
		},
		Ready:  func() bool { return s.View() != nil },
		Listed: s.listed,
		Test:   s.testSelf, TestBandwidth: s.testBandwidth,
		Published: s.published,
	})
}

// listed tells when the descriptor that the consensus has of this relay was published: that it was not long before the
// consensus, since the consensus of our view does not tell.
func (s *Server) listed() time.Time {
	v := s.View()
	if v == nil || v.ByRSA(s.keys.current().Fingerprint()) == nil {
		return time.Time{}
	}
	return v.Consensus().ValidAfter
}

// published gives the relay's documents to its directory cache.
func (s *Server) published(d *publish.Documents) {
	if s.cache == nil {
		return
	}
	fp := s.keys.current().Fingerprint()
	own := dircache.Own{Descriptor: &dircache.Document{Fingerprint: fp, Digest: d.Digest, Published: d.Published, Text: d.Descriptor}}
	if e := d.ExtraInfo; e != nil {
		own.ExtraInfo = &dircache.Document{Fingerprint: fp, Digest: e.Digest, Published: d.Published, Text: e.Text}
	}
	s.cache.SetOwn(own)
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

// followLinks learns from authorities how they see us, until ctx ends.
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
		if l := s.links.Find(e.Target); l != nil && l.SeenFrom().IsValid() {
			s.publisher.Suggest(l.SeenFrom(), fmt.Sprintf("%X", e.Target.RSA))
		}
	}
}

const linkEvents = 256

func (s *Server) isAuthority(rsa [20]byte) bool {
	for _, a := range s.cfg.Trusted {
		if a == rsa {
			return true
		}
	}
	return false
}
