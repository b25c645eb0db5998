package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/app/state"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// A Daemon is a node made from a torrc.
type Daemon struct {
	cfg *config.Config
	out *logfmt.Output
	log *slog.Logger

	data, cache *statefile.Dir
	unlock      func()

	reloads chan reload
	stops   chan chan time.Duration // of Interrupt
	ready   chan struct{}           // closed when Run serves
	done    chan struct{}           // closed when Run has returned
	ports   ports
	doors   []*door
	relay   atomic.Pointer[server.Server] // of the moment; nil if there is none

	state *state.File // opened by Run
}

// ErrClient and ErrRelay are wrapped by the errors of Run that a running client or relay has failed with.
var (
	ErrClient = errors.New("the Tor client has failed")
	ErrRelay  = errors.New("the Tor relay has failed")
)

var (
	errEnded = errors.New("the daemon has ended")
	errPanic = errors.New("a panic was contained")
)

// errBridges refuses what C tor lets pass, to the harm of all bridges.
var errBridges = errors.New("BridgeAuthoritativeDir and V3AuthoritativeDirectory: all that is uploaded to a bridge authority is a bridge's, and votes would publish it: run two nodes")

// refuse tells what of a sound configuration a daemon cannot be.
func refuse(cfg *config.Config) error {
	if cfg.Authority.Bridges && cfg.Authority.Votes {
		return errBridges
	}
	return nil
}

type reload struct {
	cfg  *config.Config
	done chan error
}

// lockFile is held while a process uses a data directory.
const lockFile = "lock"

// New opens the ports that cfg has, calls dropRights, which may give up the rights that some ports take, and then opens
// and locks the data directory, as C tor does it. Requests on the ports wait until Run is called, and the ports are closed
// when ctx ends. Close must be called in the end.
func New(ctx context.Context, cfg *config.Config, out *logfmt.Output, dropRights func() error) (_ *Daemon, err error) {
	d := &Daemon{cfg: cfg, out: out, log: slog.New(out.Handler()), reloads: make(chan reload), stops: make(chan chan time.Duration), ready: make(chan struct{}), done: make(chan struct{}), unlock: func() {}}
	d.ports.connector = newConnector(d.log)
	if err := refuse(cfg); err != nil {
		return nil, err
	}
	p := cfg.Client.Process
	defer func() {
		if err != nil {
			d.ports.close()
			d.closeDoors()
		}
	}()
	if err := d.openPorts(ctx); err != nil {
		return nil, err
	}
	if err := d.openDoors(ctx); err != nil {
		return nil, err
	}
	if err := dropRights(); err != nil {
		return nil, err
	}
	if d.data, err = statefile.Open(d.log, p.DataDirectory, statefile.Options{}); err != nil {
		return nil, fmt.Errorf("couldn't create private data directory: %w", err)
	}
	if d.unlock, err = d.lock(p.DataDirectory); err != nil {
		d.data.Close()
		return nil, err
	}
	d.cache = d.data
	if p.CacheDirectory != p.DataDirectory {
		if d.cache, err = statefile.Open(d.log, p.CacheDirectory, statefile.Options{}); err != nil {
			d.unlock()
			d.data.Close()
			return nil, fmt.Errorf("couldn't create private cache directory: %w", err)
		}
	}
	if err := d.writePid(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// lockPatience is how long to wait for another process to let go of the data directory: it may be about to end.
const (
	lockPatience = 5 * time.Second
	lockPoll     = 100 * time.Millisecond
)

func (d *Daemon) lock(path string) (unlock func(), err error) {
	unlock, err = d.data.Lock(lockFile)
	if !errors.Is(err, statefile.ErrLocked) {
		return unlock, err
	}
	d.log.Warn(fmt.Sprintf("It looks like another Tor process is running with the same data directory. Waiting %d seconds to see if it goes away.", int(lockPatience.Seconds())))
	for end := time.Now().Add(lockPatience); time.Now().Before(end); time.Sleep(lockPoll) {
		if unlock, err = d.data.Lock(lockFile); !errors.Is(err, statefile.ErrLocked) {
			return unlock, err
		}
	}
	return nil, fmt.Errorf("no, it's still there, exiting: %w (%s)", err, path)
}

func (d *Daemon) writePid() error {
	path := d.cfg.Client.Process.PidFile
	if path == "" {
		return nil
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("cannot write the PidFile: %w", err)
	}
	return nil
}

// Close lets go of the data directory.
func (d *Daemon) Close() {
	d.ports.close()
	d.closeDoors()
	if path := d.cfg.Client.Process.PidFile; path != "" {
		os.Remove(path)
	}
	d.unlock()
	if d.cache != d.data {
		d.cache.Close()
	}
	d.data.Close()
}

// Reload takes over another configuration, as after SIGHUP. An error means that the old one no longer holds and the
// daemon is to end.
func (d *Daemon) Reload(ctx context.Context, cfg *config.Config) error {
	if err := refuse(cfg); err != nil {
		return err
	}
	r := reload{cfg, make(chan error, 1)}
	select {
	case d.reloads <- r:
		return <-r.done
	case <-d.done:
		return errEnded // with an error, which says more
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Interrupt makes a relay take nothing new and end a while later, so that its users find other ways; it returns how long
// that is. It is 0 if there is nothing to wait for: the node is no relay, or was interrupted before.
func (d *Daemon) Interrupt() time.Duration {
	wait := make(chan time.Duration, 1)
	select {
	case d.stops <- wait:
		return <-wait
	case <-d.done:
		return 0
	}
}

// Ready is closed when the daemon serves.
func (d *Daemon) Ready() <-chan struct{} { return d.ready }

// Run serves until ctx ends or a part fails, and closes the ports. Its error is nil when ctx ended.
func (d *Daemon) Run(ctx context.Context) (err error) {
	defer close(d.done)
	defer d.ports.close()
	defer d.closeDoors()
	if d.state, err = state.Open(d.env(), client.Program); err != nil {
		return err
	}
	n, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer d.keepState(ctx)()
	begun, beat := time.Now(), time.NewTicker(beatInterval)
	defer beat.Stop()
	last := begun
	close(d.ready)
	var exit <-chan time.Time
	for {
		select {
		case <-exit:
			d.log.Log(ctx, safelog.LevelNotice, "Clean shutdown finished. Exiting.")
			n.stop()
			return nil
		case now := <-beat.C:
			if period := d.cfg.Relay.Heartbeat; n.client.Client != nil && period > 0 && now.Sub(last) >= period {
				last = now
				d.heartbeat(n, now.Sub(begun))
			}
		case wait := <-d.stops:
			if n.relay == nil || exit != nil || d.cfg.Relay.Limits.ShutdownWait <= 0 {
				wait <- 0
				continue
			}
			d.closeDoors()
			n.relay.Interrupt()
			exit = time.After(d.cfg.Relay.Limits.ShutdownWait)
			wait <- d.cfg.Relay.Limits.ShutdownWait
		case err := <-n.client.ended:
			n.client.ended <- err
			return d.ended(ctx, n, ErrClient, err)
		case err := <-n.relayEnded():
			n.relay.ended <- err
			return d.ended(ctx, n, ErrRelay, err)
		case r := <-d.reloads:
			err = d.apply(ctx, r.cfg, n)
			if err != nil {
				n.stop()
			}
			r.done <- err
			if err != nil {
				return err
			}
		}
	}
}

// beatInterval is how often to look whether a heartbeat is due.
const beatInterval = time.Minute

// heartbeat tells what a relay does not tell itself.
func (d *Daemon) heartbeat(n *node, since time.Duration) {
	if n.relay == nil {
		safelog.Notice(d.log, "Heartbeat: "+server.Beat(since, n.client.Links()))
	}
	if len(n.onions) > 0 {
		safelog.Notice(d.log, "Heartbeat: "+n.onions.beat())
	}
}

// keepState saves the state file after changes, until the func that it returns is called.
func (d *Daemon) keepState(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	safego.Go(&wg, d.log, "state", func() { d.state.Run(ctx) })
	return func() {
		cancel()
		wg.Wait()
		d.state.Save()
	}
}

// ended stops what still runs after a part has ended.
func (d *Daemon) ended(ctx context.Context, n *node, what, err error) error {
	n.stop()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("%w: %w", what, err)
}

func (d *Daemon) env() env.Env {
	out := d.cfg.Relay.Outbound
	return env.Env{Net: netx.OS{Bind4: out.OR4, Bind6: out.OR6}, Now: time.Now, Log: d.log, State: d.data}
}

// A node is the parts at work.
type node struct {
	client *running
	onions onions
	relay  *runningRelay // nil if there is none
}

// relayEnded gets why the relay has ended; nothing if there is none.
func (n *node) relayEnded() chan error {
	if n.relay == nil {
		return nil
	}
	return n.relay.ended
}

// stop ends all parts: the onion services first, since they use the client's circuits, and then the client, since it uses the
// relay's links.
func (n *node) stop() {
	n.onions.stop()
	n.client.stop()
	n.relay.stop()
}

// start starts what the configuration has.
func (d *Daemon) start(ctx context.Context) (n *node, err error) {
	n = &node{onions: onions{}}
	if _, err := d.files(); err != nil {
		return nil, err
	}
	if n.relay, err = d.startRelay(ctx); err != nil {
		return nil, err
	}
	if n.client, err = d.startClient(ctx, n.relay); err != nil {
		n.relay.stop()
		return nil, err
	}
	if err := d.applyOnions(ctx, n.client.Client, n.onions); err != nil {
		n.stop()
		return nil, err
	}
	d.serveDoors(ctx)
	return n, nil
}

// running is a client at work.
type running struct {
	*client.Client
	cancel context.CancelFunc
	ended  chan error // gets why it ended, once
}

// stop ends the client and waits for it. It may be called again, and for nil.
func (r *running) stop() {
	if r != nil {
		r.cancel()
		r.ended <- <-r.ended
	}
}

// startClient runs a client, or with DisableNetwork nothing.
func (d *Daemon) startClient(ctx context.Context, relay *runningRelay) (*running, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel, ended: make(chan error, 1)}
	if d.cfg.Client.Process.DisableNetwork {
		d.log.Log(ctx, safelog.LevelNotice, "DisableNetwork is set. Tor will not make or accept non-control network connections. Shutting down all existing connections.")
		d.ports.connect(nil, d.cfg.Client.Streams)
		context.AfterFunc(ctx, func() { r.ended <- context.Cause(ctx) })
		return r, nil
	}
	cfg := clientConfig(d.cfg.Client, d.env(), d.cache)
	auth, err := onionAuth(d.log, d.cfg.Client.OnionAuthDir)
	if err != nil {
		cancel()
		return nil, err
	}
	cfg.OnionAuth = auth
	cfg.State, cfg.Limits, cfg.MaxMemory = d.state, limits(&d.cfg.Relay.Bandwidth), int64(d.cfg.Relay.Limits.MaxMemInQueues)
	if relay != nil {
		cfg.Env.Net = relay.Net()
		cfg.Links, cfg.Events = relay.Links(), relay.Events()
		cfg.Select.Self, _ = relay.Identities()
		cfg.Mirror, cfg.FromAuthorities, cfg.DirPorts = relay.Mirror(), relay.FromAuthorities, true
	}
	c, err := client.New(cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	r.Client = c
	d.ports.connect(c, d.cfg.Client.Streams)
	if relay != nil {
		relay.SetClient(c)
	}
	go func() {
		err := errPanic
		safego.Run(d.log, "client", func() { err = c.Run(ctx) })
		r.ended <- err
	}()
	return r, nil
}

// apply takes over a new configuration. What concerns doors and log alone changes in place; anything else makes a new
// client, and the streams of the old one end.
func (d *Daemon) apply(ctx context.Context, cfg *config.Config, n *node) (err error) {
	was, now := d.cfg.Client, cfg.Client
	if err := d.cfg.CanBecome(cfg); err != nil {
		return err
	}
	if err := d.out.Configure(now.Log); err != nil {
		return err
	}
	wasRelay, wasAuthority := d.cfg.Relay, d.cfg.Authority
	d.cfg = cfg
	if err := d.openPorts(ctx); err != nil {
		return err
	}
	if err := d.openDoors(ctx); err != nil {
		return err
	}
	newRelay := !sameRelay(wasRelay, cfg.Relay) || !reflect.DeepEqual(wasAuthority, cfg.Authority) || was.Process.DisableNetwork != now.Process.DisableNetwork
	if !newRelay && n.relay != nil {
		relay, err := d.relayConfig()
		if err != nil {
			return err
		}
		n.relay.Reconfigure(relay)
	}
	if newRelay || !sameClient(was, now) {
		d.log.Log(ctx, safelog.LevelNotice, "The configuration of the client has changed. Its circuits and streams are closed, and it starts again.")
		n.onions.stop()
		n.client.stop()
		if newRelay {
			d.relay.Store(nil)
			n.relay.stop()
			if n.relay, err = d.startRelay(ctx); err != nil {
				return err
			}
		}
		if n.client, err = d.startClient(ctx, n.relay); err != nil {
			return err
		}
	} else if n.client.Client != nil {
		n.client.Retry() // as do_hup in C tor does
	}
	if err := d.applyOnions(ctx, n.client.Client, n.onions); err != nil {
		return err
	}
	if n.client.Client != nil { // the files may have changed where the option has not
		auth, err := onionAuth(d.log, now.OnionAuthDir)
		if err != nil {
			return err
		}
		n.client.SetOnionAuth(auth)
	}
	d.serveDoors(ctx)
	return nil
}

// sameRelay tells whether one relay can take over the other's configuration as it runs. What is left out here can change.
func sameRelay(a, b config.Relay) bool {
	for _, r := range []*config.Relay{&a, &b} {
		if !r.Enabled() {
			continue
		}
		r.ORPorts, r.DirPorts = make([]config.ORPort, 1), nil
		r.Contact, r.Addresses, r.Families = "", nil, config.RelayFamilies{Directory: r.Families.Directory}
		r.Publish, r.AssumeIPv4, r.AssumeIPv6 = false, false, torrc.Auto
		r.Exit, r.Bandwidth, r.DoS = config.RelayExit{}, config.RelayBandwidth{}, config.DoS{}
		r.Limits.ShutdownWait, r.Heartbeat = 0, 0
	}
	return reflect.DeepEqual(a, b)
}

// sameClient tells whether two configurations make the same client.
func sameClient(a, b config.Client) bool {
	a.Log, b.Log = logfmt.Options{}, logfmt.Options{}
	a.SocksPorts, b.SocksPorts = nil, nil
	return reflect.DeepEqual(a, b)
}

// Owner returns the ID of the process that started this one and with which it is to end, as the configuration has it.
func (d *Daemon) Owner() string { return d.cfg.Values.String("__OwningControllerProcess") }

// LogStatus writes a few figures to the log.
func (d *Daemon) LogStatus() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	d.log.Log(context.Background(), safelog.LevelNotice, "Statistics", "heap-bytes", m.HeapAlloc, "goroutines", runtime.NumGoroutine(),
		"contained-panics", safego.Panics())
}
