package memnet

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// A flow is a connection as the network sees it, between both its ends.
type flow struct {
	net         *Net
	hosts       pair
	ends        [2]*conn
	there, back *pipe        // from the dialing host, and to it
	open        atomic.Int32 // ends that are not yet closed
}

// newFlow returns both ends of a new connection; the caller holds no lock.
func (n *Net) newFlow(from, to *Host, local, remote *net.TCPAddr, link Link) (dialed, accepted *conn) {
	f := &flow{net: n, hosts: pairOf(from, to), there: &pipe{link: link}, back: &pipe{link: link}}
	f.open.Store(2)
	dialed = &conn{flow: f, host: from, in: f.back, out: f.there, local: local, remote: remote}
	accepted = &conn{flow: f, host: to, in: f.there, out: f.back, local: remote, remote: local}
	f.ends = [2]*conn{dialed, accepted}
	n.mu.Lock()
	defer n.mu.Unlock()
	f.there.cut, f.back.cut = n.cuts[f.hosts], n.cuts[f.hosts]
	n.flows[f] = struct{}{}
	return dialed, accepted
}

// connsOf returns the ends at h of all connections.
func (n *Net) connsOf(h *Host) (conns []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for f := range n.flows {
		for _, c := range f.ends {
			if c.host == h {
				conns = append(conns, c)
			}
		}
	}
	return conns
}

// A conn is one end of a flow.
type conn struct {
	flow          *flow
	host          *Host
	in, out       *pipe
	local, remote *net.TCPAddr
	closed        atomic.Bool
}

var (
	_ net.Conn        = (*conn)(nil)
	_ netx.HalfCloser = (*conn)(nil)
	_ netx.LowWater   = (*conn)(nil)
	_ netx.ReadWaiter = (*conn)(nil)
)

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	if err == io.EOF {
		return n, err
	}
	return n, c.wrap("read", err)
}

// WaitReadable implements [netx.ReadWaiter].
func (c *conn) WaitReadable() error { return c.wrap("read", c.in.waitReadable()) }

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.wrap("write", err)
}

// Close ends both directions. What was written still arrives.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return c.wrap("close", net.ErrClosed)
	}
	c.out.closeWrite(net.ErrClosed)
	c.in.closeRead()
	if c.flow.open.Add(-1) == 0 {
		n := c.flow.net
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.flows, c.flow)
	}
	return nil
}

// abort is Close by the death of the process: the peer sees a reset.
func (c *conn) abort() {
	c.out.reset()
	c.in.reset()
	c.Close()
}

// CloseWrite implements [netx.HalfCloser].
func (c *conn) CloseWrite() error {
	if c.closed.Load() {
		return c.wrap("close", net.ErrClosed)
	}
	c.out.closeWrite(syscall.EPIPE)
	return nil
}

// SetNotSentLowat implements [netx.LowWater].
func (c *conn) SetNotSentLowat(n int) error {
	c.out.setLowat(n)
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.wrap("set", net.ErrClosed)
	}
	c.in.setReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.wrap("set", net.ErrClosed)
	}
	c.out.setWriteDeadline(t)
	return nil
}

func (c *conn) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return netx.Scrub(&net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err})
}
