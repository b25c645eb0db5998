package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/daemon"
	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// errStop ends the daemon cleanly.
var errStop = errors.New("stopped")

// serve runs the daemon and acts on signals, until one of them ends it.
func serve(ctx context.Context, d *daemon.Daemon, signals <-chan os.Signal, cmd config.CommandLine, host machine, out *logfmt.Output) error {
	log := slog.New(out.Handler())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	ready := d.Ready()
	owner := watchOwner(ctx, d.Owner())
	for {
		select {
		case err := <-ended:
			return err
		case <-ready:
			daemonReady()
			ready = nil
		case <-owner:
			log.Log(ctx, safelog.LevelNotice, "Owning controller process has vanished -- exiting now.")
			cancel(errStop)
			owner = nil
		case s := <-signals:
			if err := act(ctx, s, d, cmd, host, out, log); err != nil {
				cancel(err)
				end := <-ended // which tells more than a reload that came too late
				if end == nil && !errors.Is(err, errStop) {
					end = err
				}
				return end
			}
		}
	}
}

// act does what a signal asks for. An error ends the program; errStop does so cleanly.
func act(ctx context.Context, s os.Signal, d *daemon.Daemon, cmd config.CommandLine, host machine, out *logfmt.Output, log *slog.Logger) error {
	notice := func(text string) { log.Log(ctx, safelog.LevelNotice, text) }
	switch s {
	case os.Interrupt:
		if wait := d.Interrupt(); wait > 0 {
			notice(fmt.Sprintf("Interrupt: we have stopped accepting new connections, and will shut down in %d seconds. Interrupt again to exit now.", int(wait.Seconds())))
			return nil
		}
		notice("Interrupt: exiting cleanly.")
		return errStop
	case syscall.SIGTERM:
		notice("Catching signal TERM, exiting cleanly.")
		return errStop
	case sigHUP:
		notice("Received reload signal (hup). Reloading config and resetting internal state.")
		cfg, err := load(cmd, host)
		for _, m := range cfg.Messages {
			log.Log(ctx, m.Level, m.Text)
		}
		if err != nil {
			return fmt.Errorf("reading config failed: %w", err)
		}
		cfg.Client.Log.Quiet, cfg.Client.Log.Program = cmd.Quiet, "Tor "+versionText
		return d.Reload(ctx, cfg)
	case sigUSR1:
		d.LogStatus()
	case sigUSR2:
		out.Debug()
		log.Log(ctx, safelog.LevelNotice, "Caught USR2, going to loglevel debug. Send HUP to change back.")
	}
	return nil
}

// ownerPoll is how often the owning process is looked at, as C tor does. Tests have less patience.
var ownerPoll = 15 * time.Second

// watchOwner returns a channel that is closed when the process with the given ID, if any, has ended.
func watchOwner(ctx context.Context, spec string) <-chan struct{} {
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(spec, ":", 2)[0]))
	if spec == "" || err != nil || pid <= 0 {
		return nil
	}
	gone := make(chan struct{})
	go func() {
		for {
			if !processLives(pid) {
				close(gone)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(ownerPoll):
			}
		}
	}()
	return gone
}
