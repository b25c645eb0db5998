package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/app/logfmt"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/nameserver"
	"github.com/tropea-net/tropea/internal/kit/simnet"
)

// A oneProcess is a network all of whose nodes are in this process. They talk over loopback, as processes would. Their logs are
// in one file, their other files in memory.
type oneProcess struct {
	nodes *simnet.Net
	dns   *nameserver.Server

	dir    *runDir
	log    *logfmt.Output
	socks  map[string]string // by the name of the client
	cancel context.CancelFunc
	doors  sync.WaitGroup // of SOCKS ports
}

func startOne(ctx context.Context, cfg Config) (*oneProcess, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("test network: %w", err)
	}
	n := &oneProcess{socks: map[string]string{}}
	if err := n.start(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("test network: %w", err), n.Close())
	}
	return n, nil
}

func (n *oneProcess) start(ctx context.Context, cfg Config) (err error) {
	if n.dir, err = openRunDir(cfg.Dir); err != nil {
		return err
	}
	if err := n.status(starting, "").write(""); err != nil {
		return err
	}
	if n.dns, err = nameserver.New(); err != nil {
		return err
	}
	if err := n.openLog(cfg.LogLevel); err != nil {
		return err
	}
	for i, stage := range []struct {
		name string
		run  func() error
	}{
		{"nodes", func() error { return n.launch(cfg) }},
		{"consensus", func() error { return n.nodes.WaitReady(ctx) }},
	} {
		cfg.Begin(stage.name, i, 2)
		begin := time.Now()
		if err := stage.run(); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
		cfg.Progress(stage.name, time.Since(begin))
	}
	return nil
}

func (n *oneProcess) logPath() string { return filepath.Join(n.dir.path, "log") }

func (n *oneProcess) openLog(level string) error {
	rule, err := logfmt.ParseRule(level + " file " + n.logPath())
	if err != nil {
		return err
	}
	n.log = logfmt.New(io.Discard, io.Discard, logfmt.Quiet(0))
	return n.log.Configure(logfmt.Options{Rules: []logfmt.Rule{rule}, Granularity: time.Millisecond, Domains: true, Truncate: true, Reveal: true})
}

// launch starts the nodes, and opens the SOCKS ports.
func (n *oneProcess) launch(cfg Config) (err error) {
	n.nodes, err = simnet.New(simnet.Config{
		Authorities: cfg.Authorities, Relays: cfg.Relays, Exits: cfg.Exits, Clients: cfg.Clients,
		Loopback: true, TLS: true, Interval: cfg.Voting, Params: simnet.PatientExits, Log: n.log.Handler(), Trace: slog.LevelError,
		Change: func(_ *simnet.Node, p *simnet.Parts) {
			if p.Server != nil {
				p.Server.Exit.DNS.ReadFile = func(string) ([]byte, error) { return n.dns.Conf(), nil }
			}
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	for _, client := range n.nodes.Nodes(simnet.Client) {
		l, err := net.Listen("tcp4", loopback+":0")
		if err != nil {
			return err
		}
		n.socks[client.Name] = l.Addr().String()
		n.doors.Go(func() { client.ServeSOCKS(ctx, l) })
	}
	return nil
}

// Close stops all nodes, and removes the network's directory unless it was asked for.
func (n *oneProcess) Close() (err error) {
	if n.cancel != nil {
		n.cancel()
		n.doors.Wait()
	}
	if n.nodes != nil {
		n.nodes.Close()
	}
	if n.dns != nil {
		err = n.dns.Close()
	}
	if n.log != nil {
		err = errors.Join(err, n.log.Close())
	}
	if n.dir != nil {
		err = errors.Join(err, n.dir.close())
	}
	return err
}

func (n *oneProcess) status(state, url string) *status {
	s := &status{pid: os.Getpid(), dir: n.dir.path, state: state, url: url, logs: n.logPath()}
	if n.nodes == nil {
		return s
	}
	for _, node := range n.nodes.Nodes(simnet.Authority, simnet.Relay, simnet.Exit, simnet.Client) {
		x := nodeStatus{name: node.Name, pid: s.pid, socks: n.socks[node.Name]}
		if node.ORPort().IsValid() {
			x.orPort = node.ORPort().String()
		}
		if node.DirPort().IsValid() {
			x.dirPort = node.DirPort().String()
		}
		s.nodes = append(s.nodes, x)
	}
	return s
}

// users are the clients. All nodes have one log, in which each line ends with the name of its node.
func (n *oneProcess) users() (list []user) {
	for _, client := range n.nodes.Nodes(simnet.Client) {
		list = append(list, user{client.Name, n.socks[client.Name], func(_ context.Context, target string) ([]string, error) {
			all, err := os.ReadFile(n.logPath())
			if err != nil {
				return nil, err
			}
			var own strings.Builder
			for line := range strings.Lines(string(all)) {
				if strings.HasSuffix(line, " node="+client.Name+"\n") {
					own.WriteString(line)
				}
			}
			return pathInLog(own.String(), target)
		}})
	}
	return list
}

// serve keeps the network until ctx ends.
func (n *oneProcess) serve(ctx context.Context, _ io.Writer) { <-ctx.Done() }

// memory is what this process holds, in bytes; 0 if that cannot be told.
func (n *oneProcess) memory() int64 {
	u, err := ctor.UsageOf(os.Getpid())
	if err != nil {
		return 0
	}
	return u.RSS
}
