package blaster

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// A conn lies between TLS and a socket. It can keep what TLS writes, and throw away what comes.
type conn struct {
	*net.TCPConn
	discard  atomic.Bool
	received *atomic.Int64 // bytes that came, thrown away or not

	mu   sync.Mutex // guards the fields below
	keep bool
	kept []byte
}

// Write sends p, or keeps it.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keep {
		c.kept = append(c.kept, p...)
		return len(p), nil
	}
	return c.TCPConn.Write(p)
}

// Read reads; in a conn that throws away it does not return until the connection is over.
func (c *conn) Read(p []byte) (int, error) {
	if c.discard.Load() {
		return 0, c.drain()
	}
	n, err := c.TCPConn.Read(p)
	if c.received != nil {
		c.received.Add(int64(n))
	}
	if err == nil && c.discard.Load() { // while we waited
		return 0, c.drain()
	}
	return n, err
}

// keepWrites makes c keep what is written from now on, and makes room for it.
func (c *conn) keepWrites(room int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep = true
	c.kept = make([]byte, 0, room)
}

// keptLen returns how much is kept.
func (c *conn) keptLen() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.kept))
}

// dialer is a network on loopback whose connections are conns.
type dialer struct {
	netx.OS
	conns chan *conn // gets each one
}

func (d dialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var nd net.Dialer
	raw, err := nd.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &conn{TCPConn: raw.(*net.TCPConn)}
	d.conns <- c
	return c, nil
}
