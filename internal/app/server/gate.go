package server

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// A gate is the way to the network of a whole node, which is shut while accounting has the relay sleep.
type gate struct {
	netx.Network
	shut atomic.Bool
}

var errDormant = errors.New("the relay hibernates: AccountingMax is reached")

// Dial implements netx.Network.
func (g *gate) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if g.shut.Load() {
		return nil, errDormant
	}
	return g.Network.Dial(ctx, network, addr)
}

// DialPacket implements netx.PacketNetwork.
func (g *gate) DialPacket(ctx context.Context, network, addr string) (net.Conn, error) {
	p, ok := g.Network.(netx.PacketNetwork)
	switch {
	case !ok:
		return nil, errors.ErrUnsupported
	case g.shut.Load():
		return nil, errDormant
	}
	return p.DialPacket(ctx, network, addr)
}
