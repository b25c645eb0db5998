package tropeatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/tropea-net/tropea/internal/lib/netx"
)

// nameServer is where exits ask for names in virtual time. The first host beside the nodes gets the address.
var nameServer = netip.MustParseAddrPort("198.18.0.1:53")

// memoryPort is where servers in memory listen.
const memoryPort = 80

func (n *Net) resolvConf() []byte {
	if n.virtual {
		return fmt.Appendf(nil, "nameserver %v\n", nameServer)
	}
	return n.names.Conf()
}

// SetName gives a name its addresses, as exits see them; without addresses it has none.
func (n *Net) SetName(name string, addrs ...netip.Addr) { n.names.Set(name, addrs...) }

// Listen opens a port for a server behind the network, under a name that exits can resolve. The address of the listener is what
// clients are to dial: the name and the port, which is one that is free, or 80 in virtual time.
func (n *Net) Listen(name string) (net.Listener, error) {
	l, at, err := n.listen(name)
	if err != nil {
		return nil, fmt.Errorf("tropeatest: %w", err)
	}
	n.SetName(name, at.Addr())
	return &listener{l, address(net.JoinHostPort(name, strconv.Itoa(int(at.Port()))))}, nil
}

func (n *Net) listen(name string) (l net.Listener, at netip.AddrPort, err error) {
	if n.virtual {
		host := n.inner.Host(name)
		at = netip.AddrPortFrom(host.Addr(), memoryPort)
		l, err = host.Listen(context.Background(), "tcp", at.String())
		return l, at, err
	}
	if l, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		return nil, at, err
	}
	return l, l.Addr().(*net.TCPAddr).AddrPort(), nil
}

type listener struct {
	net.Listener
	addr address
}

func (l *listener) Addr() net.Addr { return l.addr }

// An address is host:port.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// thisMachine is the network of exits: no test reaches beyond loopback.
type thisMachine struct{ os netx.OS }

var errBeyond = errors.New("tropeatest: exits connect to loopback only")

func loopbackOnly(addr string) error {
	if ap, err := netip.ParseAddrPort(addr); err != nil || !ap.Addr().Unmap().IsLoopback() {
		return errBeyond
	}
	return nil
}

func (m thisMachine) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := loopbackOnly(addr); err != nil {
		return nil, err
	}
	return m.os.Dial(ctx, network, addr)
}

func (m thisMachine) DialPacket(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := loopbackOnly(addr); err != nil {
		return nil, err
	}
	return m.os.DialPacket(ctx, network, addr)
}

func (m thisMachine) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	return nil, errBeyond
}
