package hsservice

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/role/edge"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Target is a local server.
type Target struct {
	Network string // "tcp" or "unix"
	Addr    string // ip:port, or a path
}

// A Forwarder leads streams to local servers. It does not change once it is in use.
type Forwarder struct {
	Net   netx.Network
	Log   *slog.Logger
	Ports map[uint16][]Target // for a port, one of them, at random
	Proxy bool                // tell servers about circuits, in the way of HAProxy
}

// dialTime is how long a local server may take to accept a connection.
const dialTime = 30 * time.Second

// Listens implements Handler.
func (f *Forwarder) Listens(port uint16) bool { return len(f.Ports[port]) > 0 }

// Serve implements Handler.
func (f *Forwarder) Serve(ctx context.Context, s Stream) {
	defer s.Close()
	targets := f.Ports[s.Port]
	if len(targets) == 0 { // the configuration has changed in this moment
		s.Refuse(relaymsg.EndDone)
		return
	}
	t := targets[rand.IntN(len(targets))]
	conn, err := f.connect(ctx, t, s)
	if err != nil {
		f.Log.Warn("cannot reach the server of an onion service", "port", s.Port, "target", t.Addr, "err", err)
		s.Refuse(edge.ReasonOf(err))
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { s.Refuse(relaymsg.EndHibernating); conn.Close() })
	defer stop()
	if s.Accept(relaymsg.Connected{}) != nil {
		return // the client does not want it any more
	}
	edge.Carry(f.Log, s.Stream, conn, func(edge.Carried) {})
}

// connect connects to a server, and tells it what it is to know.
func (f *Forwarder) connect(ctx context.Context, t Target, s Stream) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := f.Net.Dial(ctx, t.Network, t.Addr)
	if err != nil || !f.Proxy {
		return conn, err
	}
	conn.SetWriteDeadline(time.Now().Add(dialTime))
	if _, err := conn.Write(proxyHeader(s.Circuit, s.Port)); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetWriteDeadline(time.Time{})
	return conn, nil
}

// proxyHeader is the first line of a connection: the address of the "client" stands for a circuit, in a network that nobody has.
//
// https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt (export_hs_client_circuit_id in C tor)
func proxyHeader(circuit uint32, port uint16) []byte {
	return fmt.Appendf(nil, "PROXY TCP6 fc00:dead:beef:4dad::%x:%x ::1 %d %d\r\n", circuit>>16, circuit&0xffff, circuit&0xffff, port)
}
