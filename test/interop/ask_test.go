package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// ask makes a request at a SOCKS port. After CONNECT the connection is that to the destination; the caller closes it.
// A refusal is no error: it is in the reply.
func ask(ctx context.Context, addr string, req socksmsg.Request) (net.Conn, socksmsg.Reply, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, socksmsg.Reply{}, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	reply, err := negotiate(conn, req)
	if err != nil {
		conn.Close()
		return nil, reply, fmt.Errorf("SOCKS%d %v %s: %w", req.Version, req.Command, req.Host, err)
	}
	return conn, reply, nil
}

// negotiate does the handshake, byte by byte, so that it reads nothing behind it.
func negotiate(conn net.Conn, req socksmsg.Request) (socksmsg.Reply, error) {
	c := socksmsg.Client{Request: req}
	out, err := c.Start()
	var buf []byte
	for err == nil && !c.Done() {
		if _, err = conn.Write(out); err != nil {
			break
		}
		var b [1]byte
		if _, err = io.ReadFull(conn, b[:]); err != nil {
			break
		}
		var n int
		buf = append(buf, b[0])
		n, out, err = c.Step(buf)
		buf = buf[n:]
	}
	if _, refused := errors.AsType[socksmsg.RefusedError](err); refused {
		err = nil
	}
	return c.Reply(), err
}
