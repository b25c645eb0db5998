package testnet

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tropea-net/tropea/internal/kit/nameserver"
)

// Exit codes of Main.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// maxPage bounds --size, in bytes.
const maxPage = 1 << 40

// options are the flags of the sub-command.
type options struct {
	cfg       Config
	fetch     bool
	detach    bool
	one       bool
	size      int64
	readyFile string
	timeout   time.Duration
}

const synopsis = `usage: tropea testnet [flags]
       tropea testnet status [DIR]
       tropea testnet down [DIR]

Brings up a private Tor network of real processes on loopback and keeps it until it gets SIGINT or SIGTERM. All nodes run
this program, unless --bin says otherwise: --bin relay2=tor makes one C tor, --bin all=tor all of them. WHAT in the flags
below is a role (authority, relay, exit, client, onion), a node (relay2), or all.

status tells how a network is that runs, and down ends it. Without a directory they find those that have a temporary one.

`

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{cfg: Config{Bins: map[string]string{}, Torrc: map[string][]string{}}}
	fs := flag.NewFlagSet("testnet", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		io.WriteString(fs.Output(), synopsis)
		fs.PrintDefaults()
	}
	for _, count := range []struct {
		n    *int
		name string
		def  int
	}{
		{&o.cfg.Authorities, "authorities", 3}, {&o.cfg.Relays, "relays", 3}, {&o.cfg.Exits, "exits", 2}, {&o.cfg.Clients, "clients", 1},
		{&o.cfg.Onions, "onions", 0},
	} {
		fs.IntVar(count.n, count.name, count.def, "`number` of "+strings.Replace(count.name, "onions", "onion services, which have the page that --fetch fetches", 1))
	}
	fs.Func("bin", "program of a role or node, `WHAT=PATH`; may be repeated", func(s string) error {
		what, path, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want WHAT=PATH")
		}
		o.cfg.Bins[what] = path
		return nil
	})
	fs.Func("torrc", "torrc line for a role or node, `WHAT=LINE`; may be repeated", func(s string) error {
		what, line, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want WHAT=LINE")
		}
		o.cfg.Torrc[what] = append(o.cfg.Torrc[what], line)
		return nil
	})
	fs.StringVar(&o.cfg.Dir, "keep", "", "`directory` of the network, which is kept; the default is a temporary one")
	fs.DurationVar(&o.cfg.Voting, "voting", defaultVoting, "voting interval; it must divide 30 minutes")
	fs.StringVar(&o.cfg.LogLevel, "log", "info", "lowest `level` in the nodes' logs")
	fs.DurationVar(&o.timeout, "timeout", 3*time.Minute, "how long the start, and a fetch, may take")
	fs.StringVar(&o.readyFile, "ready-file", "", "`file` to write when the network is ready")
	fs.BoolVar(&o.one, "one-process", false, "run all nodes in this process, which spares memory; the files of nodes stay in memory, too")
	fs.BoolVar(&o.detach, "detach", false, "return when the network is ready, and leave it running in the background")
	fs.BoolVar(&o.fetch, "fetch", false, "fetch a page of random bytes through each client, report, and take the network down")
	fs.Int64Var(&o.size, "size", 1<<20, "size of the page in `bytes`")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if err := o.check(fs.NArg()); err != nil {
		fmt.Fprintln(stderr, "testnet:", err)
		return nil, err
	}
	return o, nil
}

func (o *options) check(nargs int) error {
	switch {
	case nargs > 0:
		return errors.New("takes flags only")
	case o.size < 0 || o.size > maxPage:
		return fmt.Errorf("--size %d: want 0 to %d", o.size, int64(maxPage))
	case o.one && o.cfg.Onions > 0:
		return errors.New("--onions are processes of their own, which --one-process does without")
	case o.fetch && o.cfg.Clients < 1:
		return errors.New("--fetch needs a client")
	case o.one && len(o.cfg.Bins)+len(o.cfg.Torrc) > 0:
		return errors.New("with --one-process there are neither programs nor torrcs for --bin and --torrc")
	case o.fetch && o.detach:
		return errors.New("--fetch takes the network down again, and --detach does not")
	}
	for _, n := range []*int{&o.cfg.Authorities, &o.cfg.Relays, &o.cfg.Exits, &o.cfg.Clients, &o.cfg.Onions} {
		if *n == 0 {
			*n = None // for a flag, 0 means what it says
		}
	}
	return nil
}

// Main is the sub-command "tropea testnet": args are the arguments after its name. It returns the exit code. SIGINT,
// SIGTERM, SIGHUP and the end of ctx take the network down.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if len(args) > 0 && (args[0] == "status" || args[0] == "down") {
		return tend(ctx, args[0], args[1:], stdout, stderr)
	}
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	}
	c := &console{stdout, stderr, nil}
	if c.report, err = openReport(); err == nil {
		switch {
		case c.report != nil:
			c.stdout, c.stderr = c.report, c.report
			err = o.run(ctx, c)
		case o.detach:
			err = detach(ctx, args, stdout)
		default:
			err = o.run(ctx, c)
		}
	}
	if err != nil {
		fmt.Fprintln(c.stderr, "testnet:", err)
		return exitFailure
	}
	return exitOK
}

// A console is where a run tells of itself: until the network is ready that may be the process that has detached this one,
// and a log in the network's directory from then on.
type console struct {
	stdout, stderr io.Writer
	report         *os.File // of a detached process; nil if it is none
}

// leave lets the waiting process go.
func (c *console) leave(log *os.File) {
	c.stdout, c.stderr = log, log
	c.report.Write([]byte{reportDone})
	c.report.Close()
}

// logName is the log of a detached network.
const logName = "testnet.log"

// A network is what run brings up.
type network interface {
	status(state, url string) *status
	users() []user
	memory() int64
	serve(ctx context.Context, stderr io.Writer) // until ctx ends
	Close() error
}

func (o *options) run(ctx context.Context, c *console) (err error) {
	begin, m := time.Now(), newMeter(c.stdout)
	defer m.end()
	o.cfg.Begin, o.cfg.Progress = m.begin, m.done
	p, err := servePage(o.size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	o.cfg.OnionTarget = p.addr
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	n, dns, err := o.start(limited)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	p.named(dns)
	s := n.status(ready, p.url)
	printStage(c.stdout, "up", time.Since(begin), s.dir)
	if held := n.memory(); held > 0 {
		fmt.Fprintf(c.stdout, "%-12s %6.1f MiB  of %d nodes\n", "memory", float64(held)/(1<<20), len(s.nodes))
	}
	s.announce(c.stdout)
	if err := s.write(o.readyFile); err != nil {
		return err
	}
	if o.fetch {
		return fetchAll(limited, c.stdout, n, p, s.onions())
	}
	s.instruct(c.stdout)
	if c.report != nil {
		log, err := os.OpenFile(filepath.Join(s.dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		c.leave(log) // which takes what is to be said to the very end
	}
	n.serve(ctx, c.stderr)
	return nil
}

// start brings up what is asked for.
func (o *options) start(ctx context.Context) (network, *nameserver.Server, error) {
	if o.one {
		n, err := startOne(ctx, o.cfg)
		if err != nil {
			return nil, nil, err
		}
		return n, n.dns, nil
	}
	n, err := Start(ctx, o.cfg)
	if err != nil {
		return nil, nil, err
	}
	return n, n.DNS, nil
}

// fetchAll fetches the page through each client, from an exit and from all onion services.
func fetchAll(ctx context.Context, stdout io.Writer, n network, p *page, onions []string) error {
	for _, client := range n.users() {
		for _, url := range append([]string{p.url}, onions...) {
			f, err := fetch(ctx, client, url, p)
			if f != nil {
				f.print(stdout, p.size)
			}
			if err != nil {
				return fmt.Errorf("%s: %s: %w", client.name, url, err)
			}
			fmt.Fprintf(stdout, "%-12s matches: %x\n", "sha256", f.sum)
		}
	}
	return nil
}

// users are the clients.
func (n *Network) users() (list []user) {
	for _, node := range n.withRole(Client) {
		list = append(list, node.user())
	}
	return list
}

// memory is what all nodes hold, in bytes; 0 if that cannot be told.
func (n *Network) memory() (sum int64) {
	for _, node := range n.Nodes() {
		if u, err := node.Usage(); err == nil {
			sum += u.RSS
		}
	}
	return sum
}

// serve keeps the network until ctx ends, and tells of nodes that end before.
func (n *Network) serve(ctx context.Context, stderr io.Writer) {
	ended := make(chan *Node)
	for _, node := range n.Nodes() {
		go func() {
			select {
			case <-node.Done():
			case <-ctx.Done():
				return
			}
			select {
			case ended <- node:
			case <-ctx.Done():
			}
		}()
	}
	for {
		select {
		case node := <-ended:
			fmt.Fprintf(stderr, "testnet: %s ended: %v; its log is in %s\n", node.Name, node.process().Err(), node.Dir)
		case <-ctx.Done():
			return
		}
	}
}
