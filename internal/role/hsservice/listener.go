package hsservice

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// A Listener is a Handler that gives the streams of clients to whoever accepts them. Its methods are safe for concurrent use.
type Listener struct {
	ports []uint16
	conn  func(Stream) net.Conn

	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// backlog is how many connections wait for Accept. More are refused.
const backlog = 128

// NewListener returns a Listener for ports of a service. conn makes the connection of a stream.
func NewListener(conn func(Stream) net.Conn, ports ...uint16) *Listener {
	return &Listener{ports: slices.Clone(ports), conn: conn, conns: make(chan net.Conn, backlog), closed: make(chan struct{})}
}

// ErrListenerClosed is what Accept returns in the end.
var ErrListenerClosed = fmt.Errorf("onion listener: %w", net.ErrClosed)

// Accept waits for a connection, or for Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, ErrListenerClosed
	default:
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, ErrListenerClosed
	}
}

// Close ends Accept, and the connections that nobody has accepted. Those to come are refused.
func (l *Listener) Close() {
	l.once.Do(func() { close(l.closed) })
	l.drop()
}

func (l *Listener) drop() {
	for {
		select {
		case c := <-l.conns:
			c.Close()
		default:
			return
		}
	}
}

// Listens implements Handler.
func (l *Listener) Listens(port uint16) bool { return slices.Contains(l.ports, port) }

// Serve implements Handler.
func (l *Listener) Serve(ctx context.Context, s Stream) {
	select {
	case <-ctx.Done():
		s.Refuse(relaymsg.EndHibernating)
		return
	case <-l.closed:
		s.Refuse(relaymsg.EndHibernating)
		return
	default:
	}
	if len(l.conns) == cap(l.conns) {
		s.Refuse(relaymsg.EndResourceLimit)
		return
	}
	if s.Accept(relaymsg.Connected{}) != nil {
		s.Close()
		return
	}
	select {
	case l.conns <- l.conn(s):
	default:
		s.Close()
	}
	select {
	case <-l.closed: // and nobody looks at conns again
		l.drop()
	default:
	}
}
