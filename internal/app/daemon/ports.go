package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/front/socks"
	"github.com/tropea-net/tropea/internal/lib/isolation"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// ports are the doors that are open. The goroutine in Run owns the list.
type ports struct {
	connector *connector
	open      []*openPort
}

// openPort is a SOCKS listener and the server behind it.
type openPort struct {
	spec     config.SocksPort
	streams  config.Streams
	listener net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// connect makes the ports use a client.
func (p *ports) connect(c *client.Client, s config.Streams) { p.connector.set(c, s) }

// close closes all ports and waits for their connections.
func (p *ports) close() {
	for _, o := range p.open {
		o.close()
	}
	p.open = nil
}

func (o *openPort) close() {
	o.cancel()
	o.wg.Wait()
}

// openPorts opens what the configuration has and is not open, and closes what it has no more.
func (d *Daemon) openPorts(ctx context.Context) error {
	var want []config.SocksPort
	if !d.cfg.Client.Process.DisableNetwork {
		want = d.cfg.Client.SocksPorts
	}
	var keep []*openPort
	for _, o := range d.ports.open {
		i := indexPort(want, o.spec)
		if i < 0 || o.streams.SocksTimeout != d.cfg.Client.Streams.SocksTimeout || o.streams.SafeSocks != d.cfg.Client.Streams.SafeSocks || o.streams.TestSocks != d.cfg.Client.Streams.TestSocks {
			d.log.Log(ctx, safelog.LevelNotice, "Closing no-longer-configured Socks listener", "on", addrText(o.listener))
			o.close()
			continue
		}
		keep = append(keep, o)
		want = append(want[:i:i], want[i+1:]...)
	}
	d.ports.open = keep
	for _, spec := range want {
		o, err := d.openPort(ctx, spec)
		if err != nil {
			return err
		}
		d.ports.open = append(d.ports.open, o)
	}
	return nil
}

func indexPort(list []config.SocksPort, spec config.SocksPort) int {
	for i := range list {
		if reflect.DeepEqual(list[i], spec) {
			return i
		}
	}
	return -1
}

func (d *Daemon) openPort(ctx context.Context, spec config.SocksPort) (*openPort, error) {
	network, addr := "tcp", spec.Listen.Addr.String()
	if spec.Listen.Path != "" {
		network, addr = "unix", spec.Listen.Path
		if err := prepareSocket(spec); err != nil {
			return nil, err
		}
	}
	d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Opening Socks listener on %s", addr))
	l, err := netx.OS{}.Listen(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("could not bind to %s: %s. Is Tor already running? Or choose another port: SocksPort", addr, safelog.RevealText(err))
	}
	if spec.Listen.Path != "" {
		if err := os.Chmod(spec.Listen.Path, socketMode(spec)); err != nil {
			l.Close()
			return nil, err
		}
	}
	if spec.Listen.Auto {
		d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Socks listener listening on port %d.", l.Addr().(*net.TCPAddr).Port))
	}
	d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Opened Socks listener connection (ready) on %s", addrText(l)))
	ctx, cancel := context.WithCancel(ctx)
	o := &openPort{spec: spec, streams: d.cfg.Client.Streams, listener: l, cancel: cancel}
	server := socks.New(d.ports.connector, d.socksConfig(spec))
	safego.Go(&o.wg, d.log, "SOCKS listener", func() {
		if err := server.Serve(ctx, l); err != nil && ctx.Err() == nil {
			d.log.Warn("Socks listener ended", "on", addr, "err", err)
		}
	})
	return o, nil
}

func addrText(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}

// prepareSocket removes a socket that an earlier run has left, and nothing else.
func prepareSocket(spec config.SocksPort) error {
	info, err := os.Lstat(spec.Listen.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is in the way of a SocksPort and is no socket", spec.Listen.Path)
	}
	return os.Remove(spec.Listen.Path)
}

func socketMode(spec config.SocksPort) os.FileMode {
	switch {
	case spec.WorldWritable:
		return 0o666
	case spec.GroupWritable:
		return 0o660
	}
	return 0o600
}

// socksConfig turns a SocksPort line into what the server takes.
func (d *Daemon) socksConfig(p config.SocksPort) socks.Config {
	s := d.cfg.Client.Streams
	cfg := socks.Config{
		Isolation: isolation.Rules{
			NoClientAddr: !p.Isolate.ClientAddr, NoSOCKSAuth: !p.Isolate.SOCKSAuth, ClientProtocol: p.Isolate.ClientProto,
			DestPort: p.Isolate.DestPort, DestAddr: p.Isolate.DestAddr,
		},
		KeepAlive: p.Isolate.KeepAlive,
		Traffic: socks.Traffic{
			NoIPv4: !p.IPv4, NoIPv6: !p.IPv6, NoPreferIPv6: !p.PreferIPv6, NoDNS: !p.DNS, NoOnion: !p.Onion,
			NoPreferIPv6Automap: !p.PreferIPv6Automap,
		},
		PreferNoAuth: p.PreferNoAuth, ExtendedErrors: p.ExtendedErrors,
		SafeSocks: s.SafeSocks, TestSocks: s.TestSocks, Timeout: s.SocksTimeout,
		ReplyCode: replyCode,
		Log:       d.log,
	}
	if p.Isolate.SessionGroup >= 0 {
		cfg.Group = isolation.SessionGroup(uint32(p.Isolate.SessionGroup))
	}
	return cfg
}
