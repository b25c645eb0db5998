package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/app/daemon"
	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// versionText is what programs parse: the C tor whose behaviour we have, and our own name and version in brackets.
const versionText = client.CompatVersion + " (tropea-" + client.Version + ")"

// tor runs the program as C tor's command line has it. It returns 0 after a clean end, and 1 after any failure.
func tor(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd, err := config.ParseCommandLine(args)
	out := logfmt.New(stdout, stderr, cmd.Quiet)
	defer out.Close()
	log := slog.New(out.Handler())
	if err != nil {
		return fail(log, err)
	}
	if code, done := inform(cmd, stdout); done {
		return code
	}
	host, err := newMachine(cmd, stdin)
	if err != nil {
		return fail(log, err)
	}
	cfg, err := load(cmd, host)
	if err == nil && cmd.Command == config.Run {
		// The process that goes on in the background says all that there is to say.
		if err = becomeDaemon(cfg, host.stdin); errors.Is(err, errParent) {
			return 0
		}
	}
	for _, m := range cfg.Messages {
		log.Log(ctx, m.Level, m.Text)
	}
	if err != nil {
		return fail(log, err)
	}
	switch cmd.Command {
	case config.VerifyConfig:
		fmt.Fprintln(stdout, "Configuration was valid")
		return 0
	case config.DumpConfig:
		stdout.Write(cfg.Dump(cmd.Arg == "full"))
		return 0
	case config.Keygen, config.KeygenFamily, config.KeyExpiration, config.ListFingerprint:
		t := keyTool{cmd: cmd, cfg: cfg, stdin: stdin, stdout: stdout, stderr: stderr, log: log}
		return t.run()
	}
	log.Log(ctx, safelog.LevelNotice, "Tor "+versionText+" running on "+runtime.GOOS+" with "+runtime.Version()+".")
	log.Log(ctx, safelog.LevelNotice, "Tropea is not made by the Tor Project and has not been audited. Tor can't help you if you use it wrong!")
	opt := cfg.Client.Log
	opt.Quiet, opt.Program = cmd.Quiet, "Tor "+versionText
	opt.Daemon = false // standard output works until daemonReady, for what goes wrong before
	cfg.Client.Log = opt
	if err := out.Configure(opt); err != nil {
		return fail(log, err)
	}
	// Whoever sees a port open may send signals.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, handled...)
	defer signal.Stop(signals)
	d, err := daemon.New(ctx, cfg, out, func() error { return becomeUser(cfg.Client.Process.User) })
	if err != nil {
		return fail(log, err)
	}
	defer d.Close()
	err = serve(ctx, d, signals, cmd, host, out)
	switch {
	case errors.Is(err, daemon.ErrClient):
		log.Error(safelog.RevealText(err))
		return 1
	case err != nil:
		return fail(log, err)
	}
	return 0
}

// machine is what configuration is loaded from, again and again.
type machine struct {
	config.Host
	stdin []byte // all of standard input, if the configuration is there
}

func newMachine(cmd config.CommandLine, stdin io.Reader) (m machine, err error) {
	m.Host = config.System()
	if cmd.Torrc == "-" {
		m.stdin, err = io.ReadAll(io.LimitReader(stdin, torrc.MaxBytes+1))
	}
	if err != nil {
		return m, fmt.Errorf("standard input: %w", err)
	}
	return m, nil
}

// load reads the configuration. Standard input is what it was at first each time.
func load(cmd config.CommandLine, m machine) (*config.Config, error) {
	m.Stdin = bytes.NewReader(m.stdin)
	return config.Load(cmd, m.Host)
}

// fail logs why the program ends, in the way of C tor.
func fail(log *slog.Logger, err error) int {
	log.Warn(safelog.RevealText(err))
	log.Error("Reading config failed--see warnings above.")
	return 1
}

// inform does what needs no configuration.
func inform(cmd config.CommandLine, stdout io.Writer) (code int, done bool) {
	switch cmd.Command {
	case config.Version:
		fmt.Fprintf(stdout, "Tor version %s.\nThis is Tropea %s, an independent implementation of Tor in Go.\n", versionText, client.Version)
	case config.Help:
		printUsage(stdout, "tropea")
	case config.ListOptions:
		for o := range config.Options() {
			fmt.Fprintln(stdout, o.Name)
		}
	case config.ListDeprecated:
		for _, name := range config.Deprecated {
			fmt.Fprintln(stdout, name)
		}
	case config.ListModules:
		io.WriteString(stdout, "relay: yes\ndirauth: no\ndircache: yes\npow: no\n")
	case config.LibraryVersions:
		fmt.Fprintf(stdout, "Go version: %s\n", runtime.Version())
	case config.HashPassword:
		var salt [8]byte
		rand.Read(salt[:])
		fmt.Fprintln(stdout, config.HashControlPassword(cmd.Arg, salt))
	default:
		return 0, false
	}
	return 0, true
}
