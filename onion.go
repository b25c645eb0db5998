package tropea

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/role/hsservice"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// OnionConfig says how an onion service works. The zero value is a new service at port 80 that everybody may use.
type OnionConfig struct {
	// Key is the service's secret, and with it its address: what [OnionListener.Key] or [NewOnionKey] has returned. Without one,
	// the service gets a new address.
	Key []byte

	// Ports are those that clients may connect to; port 80 if there are none.
	Ports []uint16

	// Clients are the X25519 public keys of those who may use the service. If there are any, nobody else can even find it.
	Clients [][32]byte

	// IntroPoints is the number of relays at which clients introduce themselves, from 3 to 20; 3 if it is zero.
	IntroPoints int

	// IntroRate and IntroBurst limit the introductions a second, and at once, that these relays let through; the network decides
	// if they are zero.
	IntroRate, IntroBurst int

	// MaxStreams is how many connections a client may have at a time on one circuit; there is no limit if it is zero.
	MaxStreams int

	// ProofOfWork makes clients work for their connection while there are more of them than the service can serve.
	ProofOfWork bool
}

// NewOnionKey makes the secret of an onion service. It is to be kept where nobody else can read it.
func NewOnionKey() []byte {
	key := keyfile.GenerateEd()
	defer key.Wipe()
	b, err := key.Expanded()
	if err != nil {
		panic("tropea: " + err.Error()) // only a key that was wiped has an error
	}
	return b[:]
}

// OnionAddr is the address of an onion service and one of its ports.
type OnionAddr struct {
	Host string // with ".onion"
	Port uint16
}

// Network returns "onion".
func (OnionAddr) Network() string { return "onion" }

// String returns host:port, as clients dial it.
func (a OnionAddr) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// An OnionListener is an onion service. It is a net.Listener.
type OnionListener struct {
	service *hsservice.Service
	key     [keyfile.EdSecretLen]byte
	ports   []uint16

	streams *hsservice.Listener // closed by Close, or when the client ends
	cancel  context.CancelFunc
}

// Listen starts an onion service and returns when clients can reach it. The service goes on when ctx ends; only the wait is over
// then, and if the service is not there yet, it is given up. Close ends it, and so does the end of the client.
func (c *Client) Listen(ctx context.Context, cfg OnionConfig) (*OnionListener, error) {
	if err := c.running(); err != nil {
		return nil, &Error{Kind: Closed, Op: "listen", Err: err}
	}
	key, err := onionKey(cfg.Key)
	if err == nil {
		err = cfg.check()
	}
	if err != nil {
		return nil, &Error{Kind: BadConfig, Op: "listen", Err: err}
	}
	l := &OnionListener{ports: slices.Clone(cfg.Ports)}
	if len(l.ports) == 0 {
		l.ports = []uint16{80}
	}
	l.streams = hsservice.NewListener(l.conn, l.ports...)
	if l.key, err = key.Expanded(); err != nil {
		return nil, &Error{Kind: BadConfig, Op: "listen", Err: err}
	}
	set := hsservice.Settings{
		Handler: l.streams, Clients: slices.Clone(cfg.Clients), Points: cfg.IntroPoints, MaxStreams: cfg.MaxStreams,
		IntroLimits: circext.IntroDoS{Rate: uint64(cfg.IntroRate), Burst: uint64(cfg.IntroBurst)},
	}
	if cfg.ProofOfWork {
		set.PoW = &hsservice.PoW{Rate: powRate, Burst: powBurst}
	}
	if l.service, err = c.inner.NewService(key, client.ServiceMode{Linger: true}, set); err != nil {
		return nil, &Error{Kind: BadConfig, Op: "listen", Err: err}
	}
	if err := c.startOnion(l); err != nil {
		return nil, &Error{Kind: Closed, Op: "listen", Err: err}
	}
	select {
	case <-l.service.Up():
		return l, nil
	case <-l.service.Done():
		err = &Error{Kind: Closed, Op: "listen", Err: errClosed}
	case <-ctx.Done():
		_, text := l.service.Status()
		err = &Error{Kind: NotReady, Op: "listen", Err: fmt.Errorf("the service is not reachable: %s: %w", text, context.Cause(ctx))}
	}
	l.Close()
	return nil, err
}

// The rate at which clients are met when they are asked for a proof of work: that of C tor.
const powRate, powBurst = 250, 2500

// startOnion runs the service until the listener or the client is closed.
func (c *Client) startOnion(l *OnionListener) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.run.Err(); err != nil {
		return context.Cause(c.run)
	}
	ctx, cancel := context.WithCancel(c.run)
	l.cancel = cancel
	context.AfterFunc(ctx, l.streams.Close)
	safego.Go(&c.wg, c.log, "onion service", func() {
		defer cancel()
		l.service.Run(ctx)
	})
	return nil
}

func onionKey(b []byte) (*keyfile.EdSecret, error) {
	if len(b) == 0 {
		return keyfile.GenerateEd(), nil
	}
	if len(b) != keyfile.EdSecretLen {
		return nil, fmt.Errorf("the Key has %d bytes, and must have %d", len(b), keyfile.EdSecretLen)
	}
	expanded := [keyfile.EdSecretLen]byte(b)
	defer clear(expanded[:])
	key, err := keyfile.EdFromExpanded(&expanded)
	if err != nil {
		return nil, err
	}
	if _, err := onionaddr.FromKey(key.ID()); err != nil {
		return nil, err
	}
	return key, nil
}

var (
	errIntroPoints = errors.New("IntroPoints must be from 3 to 20, or 0")
	errIntroRate   = errors.New("IntroBurst must not be smaller than IntroRate, and both must be given or none")
	errNegative    = errors.New("limits must not be negative")
	errPort0       = errors.New("there is no port 0")
)

func (cfg *OnionConfig) check() error {
	switch {
	case cfg.IntroPoints != 0 && (cfg.IntroPoints < 3 || cfg.IntroPoints > hsservice.MaxPoints):
		return errIntroPoints
	case cfg.IntroRate < 0, cfg.IntroBurst < 0, cfg.MaxStreams < 0:
		return errNegative
	case cfg.IntroBurst < cfg.IntroRate, (cfg.IntroRate == 0) != (cfg.IntroBurst == 0):
		return errIntroRate
	case slices.Contains(cfg.Ports, 0):
		return errPort0
	}
	return nil
}

// Addr implements net.Listener: it is an [OnionAddr], with the first of the ports.
func (l *OnionListener) Addr() net.Addr {
	return OnionAddr{Host: l.service.Address().String(), Port: l.ports[0]}
}

// Key returns the service's secret: with it the service can come back at the same address.
func (l *OnionListener) Key() []byte { return slices.Clone(l.key[:]) }

// Status says in words whether clients can reach the service, and if not, why.
func (l *OnionListener) Status() (reachable bool, text string) { return l.service.Status() }

// Accept implements net.Listener. A connection's LocalAddr tells the port, and its RemoteAddr which connections came over one
// circuit; nothing tells who the client is.
func (l *OnionListener) Accept() (net.Conn, error) {
	c, err := l.streams.Accept()
	if err != nil {
		return nil, &Error{Kind: Closed, Op: "listen", Err: err}
	}
	return c, nil
}

// Close ends the service: clients cannot reach it any more when it returns. Connections that were accepted go on.
func (l *OnionListener) Close() error {
	l.streams.Close()
	l.cancel()
	<-l.service.Done()
	return nil
}

// conn makes the connection of a stream.
func (l *OnionListener) conn(s hsservice.Stream) net.Conn {
	return &onionConn{s.Stream, OnionAddr{l.service.Address().String(), s.Port}, onionPeer(s.Circuit)}
}

// onionConn is a connection of a client.
type onionConn struct {
	*stream.Stream
	local  OnionAddr
	remote onionPeer
}

func (c *onionConn) LocalAddr() net.Addr  { return c.local }
func (c *onionConn) RemoteAddr() net.Addr { return c.remote }

// onionPeer is the number of a circuit.
type onionPeer uint32

func (onionPeer) Network() string  { return "onion" }
func (p onionPeer) String() string { return "circuit-" + strconv.Itoa(int(p)) }
