package tropeatest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/role/hsservice"
)

// A Client is a Tor client of the network. Its methods are safe for concurrent use.
type Client struct {
	node      *simnet.Node
	socks     string
	transport *http.Transport
	services  atomic.Int64 // started so far
}

func newClient(node *simnet.Node) *Client {
	return &Client{node: node, transport: &http.Transport{DialContext: node.DialContext}}
}

// DialContext opens a stream to addr, host:port. The host is resolved by the exit.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return c.node.DialContext(ctx, network, addr)
}

// DialAlone is DialContext on a circuit that no other stream gets.
func (c *Client) DialAlone(ctx context.Context, addr string) (net.Conn, error) {
	return c.node.DialAlone(ctx, addr)
}

// Listen starts an onion service with a new address, at port 80, and returns when all clients of the network can reach it. It ends
// when the listener is closed, or the network.
func (c *Client) Listen(ctx context.Context) (net.Listener, error) {
	o, err := c.node.Listen("onion"+strconv.Itoa(int(c.services.Add(1))), hsservice.Settings{})
	if err != nil {
		return nil, fmt.Errorf("tropeatest: %w", err)
	}
	if err := o.WaitUp(ctx); err != nil {
		o.Close()
		return nil, fmt.Errorf("tropeatest: %w", err)
	}
	return o, nil
}

// HTTP returns an HTTP client that goes through the network. The end of the network closes its idle connections.
func (c *Client) HTTP() *http.Client { return &http.Client{Transport: c.transport} }

// SOCKS is the address of the client's SOCKS port, host:port, for programs under test; empty in virtual time.
func (c *Client) SOCKS() string { return c.socks }
