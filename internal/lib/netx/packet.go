package netx

import (
	"context"
	"net"
	"net/netip"
)

// A PacketNetwork sends datagrams. It is apart from [Network] since few need it: the resolver of an exit does.
type PacketNetwork interface {
	// DialPacket opens a socket that is connected to addr, a literal "ip:port", from a port that the system picks at random.
	// Write sends one datagram, Read receives one that addr has sent, and cuts it to the length of its argument; datagrams
	// from others never arrive. The network is "udp", "udp4" or "udp6". Errors print no address; see [Scrub].
	DialPacket(ctx context.Context, network, addr string) (net.Conn, error)
}

var _ PacketNetwork = OS{}

// DialPacket implements [PacketNetwork].
func (o OS) DialPacket(ctx context.Context, network, addr string) (net.Conn, error) {
	to, err := ParsePacketAddr(network, addr)
	if err != nil {
		return nil, Scrub(&net.OpError{Op: "dial", Net: network, Err: err})
	}
	var d net.Dialer
	if from := o.source(to.Addr()); from.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, Scrub(err)
	}
	return packetConn{c}, nil
}

// A packetConn is a connected socket of the operating system whose errors are scrubbed.
type packetConn struct{ net.Conn }

func (c packetConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, Scrub(err)
}

func (c packetConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, Scrub(err)
}

func (c packetConn) Close() error { return Scrub(c.Conn.Close()) }

// ParsePacketAddr is [ParseAddr] for the networks of datagrams.
func ParsePacketAddr(network, addr string) (netip.AddrPort, error) {
	switch network {
	case "udp", "udp4", "udp6":
		return ParseAddr("tcp"+network[len("udp"):], addr)
	}
	return netip.AddrPort{}, net.UnknownNetworkError(network)
}
