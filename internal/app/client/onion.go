package client

import (
	"context"
	"errors"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/role/hsservice"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// ServiceMode says how an onion service works.
type ServiceMode struct {
	Direct bool // circuits have one hop: whoever wants can find out where it is
	Linger bool // streams go on when the service ends
}

// NewService makes an onion service that uses the client's circuits, and ends with them.
func (c *Client) NewService(key *keyfile.EdSecret, mode ServiceMode, set hsservice.Settings) (*hsservice.Service, error) {
	return hsservice.New(hsservice.Config{
		Env: c.cfg.Env, Net: onionNetwork{c}, Select: c.selector, Rand: newRand(), Events: c.bus,
		Key: key, Direct: mode.Direct, Linger: mode.Linger, AllowInternal: c.cfg.AllowPrivate, TestNetwork: c.cfg.Testing, Settings: set,
	})
}

// onionNetwork is the network as an onion service uses it.
type onionNetwork struct{ *Client }

// Circuit implements hsservice.Network.
func (n onionNetwork) Circuit(ctx context.Context, h circuit.Hop, way hsservice.Way) (hsservice.Circuit, error) {
	if way == hsservice.Direct {
		c, err := n.circuits.Direct(ctx, h)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	in, err := n.circuits.Inside(ctx, circmgr.InsideNeed{End: &h, Own: way == hsservice.ToOwn, Stable: true})
	if err != nil {
		return nil, err
	}
	return in.Circ, nil
}

// Check implements hsservice.Network. The streams of users have no part in it: what they know of the service would not be a trial.
// Of a service that must know its clients, it tells whether the descriptor is found.
func (n onionNetwork) Check(ctx context.Context, a onionaddr.Address) error {
	defer n.trials.NewIdentity() // closes the circuit, and forgets the descriptor
	_, err := n.trials.Open(ctx, hsclient.Request{Service: a, Port: 1})
	if e, ok := errors.AsType[*hsclient.Error](err); ok && e.Reason == hsclient.MissingAuth {
		return nil
	}
	return err
}

// Publish implements hsservice.Network.
func (n onionNetwork) Publish(ctx context.Context, dir *netdir.Relay, descriptor []byte) error {
	h := hsservice.HopTo(dir)
	in, err := n.circuits.Inside(ctx, circmgr.InsideNeed{End: &h, Own: true})
	if err != nil {
		return err
	}
	defer in.Circ.Close()
	requests := dirclient.Client{Now: n.cfg.Env.Now}
	host := ""
	if addrs := dir.Addrs(); len(addrs) > 0 {
		host = dirhttp.Host(addrs[0])
	}
	return requests.Upload(ctx, in.Circ.Tunnel(), host, dirhttp.PathUploadHSDesc, descriptor)
}
