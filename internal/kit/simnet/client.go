package simnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/lib/isolation"
)

var errStopped = errors.New("simnet: the node does not run")

// DialContext opens a stream through the network to addr, host:port. It can be used as http.Transport.DialContext.
func (n *Node) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return n.dial(ctx, addr, isolation.Key{})
}

// DialAlone is DialContext on a circuit that no other stream gets.
func (n *Node) DialAlone(ctx context.Context, addr string) (net.Conn, error) {
	return n.dial(ctx, addr, isolation.Key{Token: isolation.NewToken()})
}

func (n *Node) dial(ctx context.Context, addr string, key isolation.Key) (net.Conn, error) {
	c := n.Client()
	if c == nil {
		return nil, errStopped
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", text, err)
	}
	c.Nudge()
	s, err := c.Streams().Dial(ctx, attach.Request{Host: host, Port: uint16(port), Isolation: key})
	if err != nil {
		return nil, err
	}
	return s, nil
}
