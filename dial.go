package tropea

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/lib/isolation"
)

// Isolation keeps streams apart: two streams share a circuit only if they were opened with the same value. The zero
// value is that of all streams for which nobody asked for anything else.
type Isolation struct{ token isolation.Token }

// NewIsolation returns a value that is equal to no other.
func NewIsolation() Isolation { return Isolation{isolation.NewToken()} }

// A Dialer opens streams with options. The zero value with a Client works. Copies are cheap: make one for each user or
// task that is to be kept apart.
type Dialer struct {
	Client     *Client
	Isolation  Isolation
	NoIPv4     bool // the exit must not use IPv4
	NoIPv6     bool // nor IPv6
	PreferIPv6 bool
}

// DialContext opens a stream through Tor to addr, host:port. The network must be "tcp", "tcp4" or "tcp6". The host is not
// resolved here; it may be the address of an onion service. It can be used as http.Transport.DialContext.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return Dialer{Client: c}.DialContext(ctx, network, addr)
}

// Resolve returns the addresses of a name, as an exit sees them.
func (c *Client) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return Dialer{Client: c}.Resolve(ctx, host)
}

// ResolveAddr returns the names of an address, as an exit sees them.
func (c *Client) ResolveAddr(ctx context.Context, addr netip.Addr) ([]string, error) {
	return Dialer{Client: c}.ResolveAddr(ctx, addr)
}

// NewIdentity keeps streams that are opened from now on off the circuits of those before.
func (c *Client) NewIdentity() { c.inner.NewIdentity() }

// DialContext is like [Client.DialContext], with the options of d.
func (d Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	switch network {
	case "tcp":
	case "tcp4":
		d.NoIPv6 = true
	case "tcp6":
		d.NoIPv4 = true
	default:
		return nil, &Error{Kind: BadAddress, Op: "dial", Err: net.UnknownNetworkError(network)}
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &Error{Kind: BadAddress, Op: "dial", Err: err}
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, &Error{Kind: BadAddress, Op: "dial", Err: fmt.Errorf("port %q is not a number from 1 to 65535", portText)}
	}
	if err := d.Client.running(); err != nil {
		return nil, &Error{Kind: Closed, Op: "dial", Err: err}
	}
	d.Client.inner.Nudge()
	s, err := d.Client.inner.Streams().Dial(ctx, d.request(host, uint16(port)))
	if err != nil {
		return nil, d.Client.wrap("dial", err)
	}
	return s, nil
}

// Resolve is like [Client.Resolve], with the options of d.
func (d Dialer) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if err := d.Client.running(); err != nil {
		return nil, &Error{Kind: Closed, Op: "resolve", Err: err}
	}
	d.Client.inner.Nudge()
	addrs, _, err := d.Client.inner.Streams().Resolve(ctx, d.request(host, 0))
	return addrs, d.Client.wrap("resolve", err)
}

// ResolveAddr is like [Client.ResolveAddr], with the options of d.
func (d Dialer) ResolveAddr(ctx context.Context, addr netip.Addr) ([]string, error) {
	if err := d.Client.running(); err != nil {
		return nil, &Error{Kind: Closed, Op: "resolve", Err: err}
	}
	d.Client.inner.Nudge()
	names, err := d.Client.inner.Streams().ResolvePTR(ctx, d.request(addr.String(), 0))
	return names, d.Client.wrap("resolve", err)
}

func (d Dialer) request(host string, port uint16) attach.Request {
	return attach.Request{
		Host: host, Port: port,
		Isolation: isolation.Key{Token: d.Isolation.token},
		NoIPv4:    d.NoIPv4, NoIPv6: d.NoIPv6, PreferIPv6: d.PreferIPv6,
	}
}

// running returns an error unless Start was called and Close was not.
func (c *Client) running() error {
	c.mu.Lock()
	done := c.done
	c.mu.Unlock()
	if done == nil {
		return errors.New("client was not started")
	}
	select {
	case <-done:
		return c.runErr
	default:
		return nil
	}
}

// wrap makes an Error of what a stream or a look-up failed with.
func (c *Client) wrap(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case c.running() != nil:
		return &Error{Kind: Closed, Op: op, Err: err}
	}
	return &Error{Kind: kindOf(err), Op: op, Err: err}
}
