package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// doorKind tells what is said at a door of the relay.
type doorKind struct {
	name  string // in the log
	admit func(*server.Server, net.Conn)
}

var (
	orDoor  = &doorKind{"OR", (*server.Server).Admit}
	dirDoor = &doorKind{"Directory", (*server.Server).AdmitDirectory}
)

// doorSpec is where a door is.
type doorSpec struct {
	kind     *doorKind
	addr     netip.AddrPort
	auto     bool // the kernel chooses the port
	optional bool // nobody has asked for this address, and the machine may not have its family
}

// A door is where others connect to the relay. It outlives the relay, which a reload may replace: to open a port anew may
// take rights that have been given up.
type door struct {
	doorSpec
	listener net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// doorSpecs lists the doors of a configuration.
func doorSpecs(r *config.Relay) (list []doorSpec) {
	add := func(kind *doorKind, p config.ORPort) {
		if !p.NoListen {
			list = append(list, doorSpec{kind, p.Listen.Addr, p.Listen.Auto, !p.Explicit && p.Listen.Addr.Addr().Is6()})
		}
	}
	for _, p := range r.ORPorts {
		add(orDoor, p)
	}
	for _, p := range r.DirPorts {
		add(dirDoor, config.ORPort(p))
	}
	return list
}

// openDoors opens the doors that the configuration has and that are not open, and closes what it has no more.
func (d *Daemon) openDoors(ctx context.Context) error {
	var want []doorSpec
	if !d.cfg.Client.Process.DisableNetwork {
		want = doorSpecs(&d.cfg.Relay)
	}
	var keep []*door
	for _, o := range d.doors {
		i := 0
		for i < len(want) && want[i] != o.doorSpec {
			i++
		}
		if i == len(want) {
			d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Closing no-longer-configured %s listener on %s", o.kind.name, o.listener.Addr()))
			o.close()
			continue
		}
		keep = append(keep, o)
		want = append(want[:i:i], want[i+1:]...)
	}
	d.doors = keep
	for _, spec := range want {
		o, err := d.openDoor(ctx, spec)
		if err != nil {
			return err
		}
		if o != nil {
			d.doors = append(d.doors, o)
		}
	}
	return nil
}

func (d *Daemon) openDoor(ctx context.Context, spec doorSpec) (*door, error) {
	d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Opening %s listener on %s", spec.kind.name, spec.addr))
	network := "tcp4"
	if spec.addr.Addr().Is6() {
		network = "tcp6"
	}
	l, err := netx.OS{}.Listen(ctx, network, spec.addr.String())
	if err != nil && spec.optional {
		d.log.Warn(fmt.Sprintf("Could not bind to %s, so that the relay is not reached over IPv6. To have no IPv6, add IPv4Only to the %sPort line.", spec.addr, spec.kind.name), "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not bind to %s: %s. Is Tor already running? Or choose another port: %sPort", spec.addr, safelog.RevealText(err), spec.kind.name)
	}
	d.log.Log(ctx, safelog.LevelNotice, fmt.Sprintf("Opened %s listener connection (ready) on %s", spec.kind.name, l.Addr()))
	return &door{doorSpec: spec, listener: l}, nil
}

// serveDoors lets people in by all doors.
func (d *Daemon) serveDoors(ctx context.Context) {
	for _, o := range d.doors {
		if o.cancel == nil {
			var inner context.Context
			inner, o.cancel = context.WithCancel(ctx)
			safego.Go(&o.wg, d.log, o.kind.name+" listener", func() { d.serveDoor(inner, o) })
		}
	}
}

// acceptPause is how long a door waits after a failure to accept, such as that no file descriptor is left.
const acceptPause = 100 * time.Millisecond

func (d *Daemon) serveDoor(ctx context.Context, o *door) {
	stop := context.AfterFunc(ctx, func() { o.listener.Close() })
	defer stop()
	for {
		conn, err := o.listener.Accept()
		relay := d.relay.Load()
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			if err == nil {
				conn.Close()
			}
			return
		case err != nil:
			if relay != nil {
				relay.Exhausted(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
		case relay == nil:
			conn.Close()
		default:
			o.kind.admit(relay, conn)
		}
	}
}

func (o *door) close() {
	if o.cancel != nil {
		o.cancel()
	}
	o.listener.Close()
	o.wg.Wait()
}

func (d *Daemon) closeDoors() {
	for _, o := range d.doors {
		o.close()
	}
	d.doors = nil
}
