package bench

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// serverHost is the server's name, which exits look up at the network's resolver.
const serverHost = "load.test"

// errEarlyData is the error of a proxy that sends more than the answer to what it got.
var errEarlyData = errors.New("data before a request")

// dialSOCKS connects to a port of host by the proxy at addr. Connections with different users get different
// circuits. The connection is closed when ctx ends.
func dialSOCKS(ctx context.Context, addr, user, host string, port uint16) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	req := socksmsg.Request{
		Version: socksmsg.Version5, Command: socksmsg.Connect, Host: host, Port: port, User: user, Pass: "x",
	}
	if err := shakeHands(c, req); err != nil {
		stop()
		c.Close()
		return nil, fmt.Errorf("SOCKS request of %s: %w", user, errors.Join(err, context.Cause(ctx)))
	}
	return c, nil
}

func shakeHands(c net.Conn, req socksmsg.Request) error {
	client := socksmsg.Client{Request: req}
	out, err := client.Start()
	if err != nil {
		return err
	}
	var buf [512]byte
	for have := 0; ; {
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return err
			}
		}
		m, err := c.Read(buf[have:])
		if err != nil {
			return err
		}
		have += m
		n, next, err := client.Step(buf[:have])
		out = next
		switch {
		case err != nil:
			return err
		case n == 0: // the rest of the answer is to come
		case n < have:
			return errEarlyData
		case client.Done():
			return nil
		default:
			have = 0
		}
	}
}
