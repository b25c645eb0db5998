package daemon

import (
	"context"
	"fmt"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/role/hsservice"
	"github.com/tropea-net/tropea/internal/wire/circext"
)

// onions are the onion services at work, by directory. The goroutine in Daemon.Run has them.
type onions map[string]*runningOnion

// runningOnion is an onion service at work.
type runningOnion struct {
	*hsservice.Service
	direct bool
	cancel context.CancelFunc
	ended  chan struct{}
}

// stop ends the service, and waits for it.
func (r *runningOnion) stop() {
	r.cancel()
	<-r.ended
}

// stop ends all services: at the same time, since each may have streams.
func (o onions) stop() {
	for _, r := range o {
		r.cancel()
	}
	for dir, r := range o {
		<-r.ended
		delete(o, dir)
	}
}

// beat says what has come to the services, in C tor's words and some of our own.
func (o onions) beat() string {
	var sum hsservice.Counts
	for _, r := range o {
		c := r.Counts()
		sum.Introductions += c.Introductions
		sum.Dropped += c.Dropped
		sum.Rendezvous += c.Rendezvous
	}
	plural := "s"
	if len(o) == 1 {
		plural = ""
	}
	return fmt.Sprintf("Our onion service%s received %d v3 INTRODUCE2 cells and attempted to launch %d rendezvous circuits. %d of the cells were dropped.",
		plural, sum.Introductions, sum.Rendezvous, sum.Dropped)
}

// applyOnions makes the services those of the configuration: it ends those that are gone or have other keys, starts new ones, and
// changes the settings of others while they run. With an error, nothing has changed. c is nil if there is no network; keys are
// made all the same.
func (d *Daemon) applyOnions(ctx context.Context, c *client.Client, o onions) error {
	want := &d.cfg.Onions
	dirs := make([]onionDir, len(want.Services))
	for i := range want.Services {
		var err error
		if dirs[i], err = loadOnion(d.log, &want.Services[i]); err != nil {
			return fmt.Errorf("onion service in %s: %w", want.Services[i].Dir, err)
		}
	}
	keep := map[string]bool{}
	for i := range want.Services {
		r := o[want.Services[i].Dir]
		keep[want.Services[i].Dir] = c != nil && r != nil && r.Address() == dirs[i].key.ID() && r.direct == want.NonAnonymous
	}
	for dir, r := range o {
		if !keep[dir] {
			r.stop()
			delete(o, dir)
		}
	}
	if c == nil {
		return nil
	}
	for i := range want.Services {
		cfg := &want.Services[i]
		set := d.onionSettings(cfg, &dirs[i])
		if r := o[cfg.Dir]; r != nil {
			r.Configure(set)
			continue
		}
		s, err := c.NewService(dirs[i].key, client.ServiceMode{Direct: want.NonAnonymous}, set)
		if err != nil {
			return fmt.Errorf("onion service in %s: %w", cfg.Dir, err)
		}
		run, cancel := context.WithCancel(ctx)
		r := &runningOnion{Service: s, direct: want.NonAnonymous, cancel: cancel, ended: make(chan struct{})}
		o[cfg.Dir] = r
		go func() {
			defer close(r.ended)
			safego.Run(d.log, "onion service", func() { s.Run(run) })
		}()
	}
	return nil
}

// onionSettings turns what a torrc and the directory of a service say into what the service takes.
func (d *Daemon) onionSettings(cfg *config.Onion, dir *onionDir) hsservice.Settings {
	// Servers are where the user says, so the address that we use for relays has no part in that.
	forward := &hsservice.Forwarder{Net: netx.OS{}, Log: d.log, Ports: map[uint16][]hsservice.Target{}, Proxy: cfg.ExportCircuit}
	for _, p := range cfg.Ports {
		t := hsservice.Target{Network: "unix", Addr: p.Path}
		if p.Addr.IsValid() {
			t = hsservice.Target{Network: "tcp", Addr: p.Addr.String()}
		}
		forward.Ports[p.Port] = append(forward.Ports[p.Port], t)
	}
	set := hsservice.Settings{
		Handler: forward, Clients: dir.clients, Frontends: dir.frontends, Points: cfg.Points,
		Unpublished: d.cfg.Onions.Unpublished, MaxStreams: cfg.MaxStreams, CloseAtMax: cfg.CloseAtMax, UnknownPorts: cfg.UnknownPorts,
	}
	if cfg.IntroDefense {
		set.IntroLimits = circext.IntroDoS{Rate: uint64(cfg.IntroRate), Burst: uint64(cfg.IntroBurst)}
	}
	if cfg.PoW {
		set.PoW = &hsservice.PoW{Rate: cfg.PoWRate, Burst: cfg.PoWBurst}
	}
	return set
}
