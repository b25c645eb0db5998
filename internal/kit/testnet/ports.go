package testnet

import (
	"errors"
	"net"
)

const loopback = "127.0.0.1"

// ports are addresses on loopback, chosen by the kernel. Until release they are held by listeners, so that no other node
// gets them.
type ports []net.Listener

// reserve holds n ports.
func reserve(n int) (ports, error) {
	var p ports
	for range n {
		l, err := net.Listen("tcp4", loopback+":0")
		if err != nil {
			return nil, errors.Join(err, p.release())
		}
		p = append(p, l)
	}
	return p, nil
}

// addr is the i-th address, host:port.
func (p ports) addr(i int) string { return p[i].Addr().String() }

// release frees the ports for the node that is about to start. Another program may take one before the node does; the
// node then ends, and gets other ports.
func (p ports) release() error {
	var errs []error
	for _, l := range p {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
