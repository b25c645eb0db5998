package simnet

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/front/socks"
)

// ServeSOCKS lets programs use the network through the node: it takes what comes to l, until ctx ends.
func (n *Node) ServeSOCKS(ctx context.Context, l net.Listener) error {
	return socks.New(door{n}, socks.Config{Log: n.log()}).Serve(ctx, l)
}

// A door is a socks.Connector to a node, be it started anew meanwhile.
type door struct{ node *Node }

func (d door) streams() (*attach.Attacher, error) {
	c := d.node.Client()
	if c == nil {
		return nil, errStopped
	}
	c.Nudge()
	return c.Streams(), nil
}

func request(r socks.Request) attach.Request {
	return attach.Request{
		Host: r.Host, Port: r.Port, Isolation: r.Isolation, KeepAlive: r.KeepAlive, Early: r.Early,
		NoIPv4: r.Traffic.NoIPv4, NoIPv6: r.Traffic.NoIPv6, PreferIPv6: !r.Traffic.NoPreferIPv6,
	}
}

// Dial implements socks.Connector.
func (d door) Dial(ctx context.Context, r socks.Request) (socks.Stream, error) {
	to, err := d.streams()
	if err != nil {
		return nil, err
	}
	s, err := to.Dial(ctx, request(r))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Resolve implements socks.Connector.
func (d door) Resolve(ctx context.Context, r socks.Request) ([]netip.Addr, uint32, error) {
	to, err := d.streams()
	if err != nil {
		return nil, 0, err
	}
	addrs, ttl, err := to.Resolve(ctx, request(r))
	return addrs, uint32(ttl / time.Second), err
}

// ResolvePTR implements socks.Connector.
func (d door) ResolvePTR(ctx context.Context, r socks.Request) ([]string, error) {
	to, err := d.streams()
	if err != nil {
		return nil, err
	}
	return to.ResolvePTR(ctx, request(r))
}
