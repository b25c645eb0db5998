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
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/lib/statefile"
)

// A Daemon is a node made from a torrc.
type Daemon struct {
	cfg *config.Config
	out *logfmt.Output
	log *slog.Logger

	data, cache *statefile.Dir
	unlock      func()

	reloads chan reload
	ready   chan struct{} // closed when Run serves
	done    chan struct{} // closed when Run has returned
	ports   ports
}

// ErrClient is wrapped by the errors of Run that a running client has failed with.
var ErrClient = errors.New("the Tor client has failed")

var (
	errEnded = errors.New("the daemon has ended")
	errPanic = errors.New("a panic was contained in the client")
)

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
	d := &Daemon{cfg: cfg, out: out, log: slog.New(out.Handler()), reloads: make(chan reload), ready: make(chan struct{}), done: make(chan struct{}), unlock: func() {}}
	d.ports.connector = newConnector(d.log)
	p := cfg.Client.Process
	defer func() {
		if err != nil {
			d.ports.close()
		}
	}()
	if err := d.openPorts(ctx); err != nil {
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

// Ready is closed when the daemon serves.
func (d *Daemon) Ready() <-chan struct{} { return d.ready }

// Run serves until ctx ends or the client fails, and closes the ports. Its error is nil when ctx ended.
func (d *Daemon) Run(ctx context.Context) error {
	defer close(d.done)
	defer d.ports.close()
	inner, err := d.startClient(ctx)
	if err != nil {
		return err
	}
	close(d.ready)
	for {
		select {
		case err := <-inner.ended:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%w: %w", ErrClient, err)
		case r := <-d.reloads:
			inner, err = d.apply(ctx, r.cfg, inner)
			if err != nil {
				inner.stop()
			}
			r.done <- err
			if err != nil {
				return err
			}
		}
	}
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
func (d *Daemon) startClient(ctx context.Context) (*running, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel, ended: make(chan error, 1)}
	if d.cfg.Client.Process.DisableNetwork {
		d.log.Log(ctx, safelog.LevelNotice, "DisableNetwork is set. Tor will not make or accept non-control network connections. Shutting down all existing connections.")
		d.ports.connect(nil, d.cfg.Client.Streams)
		context.AfterFunc(ctx, func() { r.ended <- context.Cause(ctx) })
		return r, nil
	}
	c, err := client.New(clientConfig(d.cfg.Client, env.Env{Net: netx.OS{}, Now: time.Now, Log: d.log, State: d.data}, d.cache))
	if err != nil {
		cancel()
		return nil, err
	}
	r.Client = c
	d.ports.connect(c, d.cfg.Client.Streams)
	go func() {
		err := errPanic
		safego.Run(d.log, "client", func() { err = c.Run(ctx) })
		r.ended <- err
	}()
	return r, nil
}

// apply takes over a new configuration. What concerns doors and log alone changes in place; anything else makes a new
// client, and the streams of the old one end.
func (d *Daemon) apply(ctx context.Context, cfg *config.Config, old *running) (*running, error) {
	was, now := d.cfg.Client, cfg.Client
	if was.Process.DataDirectory != now.Process.DataDirectory || was.Process.CacheDirectory != now.Process.CacheDirectory {
		return old, errors.New("while Tor is running, changing DataDirectory or CacheDirectory is not allowed")
	}
	if was.Process.PidFile != now.Process.PidFile {
		return old, errors.New("while Tor is running, changing PidFile is not allowed")
	}
	if err := d.out.Configure(now.Log); err != nil {
		return old, err
	}
	d.cfg = cfg
	if err := d.openPorts(ctx); err != nil {
		return old, err
	}
	if sameClient(was, now) {
		return old, nil
	}
	d.log.Log(ctx, safelog.LevelNotice, "The configuration of the client has changed. Its circuits and streams are closed, and it starts again.")
	old.stop()
	return d.startClient(ctx)
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
