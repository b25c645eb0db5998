package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// clientOptions are the flags of "tropea bench client".
type clientOptions struct {
	common
	seconds  int
	circuits int
	voting   time.Duration
	steps    []clientStep

	window time.Duration // of each measurement of traffic
	nodes  testnet.Config
}

const (
	maxSeconds  = 600
	maxCircuits = 64
	// stepTimeout is how long a piece of work may take beyond its window.
	stepTimeout = 2 * time.Minute
	// startTimeout is how long the network may take beyond its first vote.
	startTimeout = 3 * time.Minute
)

func parseClient(args []string, stderr io.Writer) (*clientOptions, error) {
	o := new(clientOptions)
	fs := flag.NewFlagSet("client", flag.ContinueOnError)
	o.register(fs)
	fs.IntVar(&o.seconds, "seconds", 6, "how long to measure traffic each time, in `seconds`")
	fs.IntVar(&o.circuits, "circuits", 8, "how `many` circuits the parallel download has")
	fs.DurationVar(&o.voting, "voting", time.Minute, "voting interval of the network; a new consensus disturbs, the first one is waited for")
	only := fs.String("only", "", "leave out all steps but those whose name this `regexp` matches: "+stepNames(clientSteps))
	err := parse(fs, args, stderr, func() (err error) {
		if o.steps, err = selectSteps(clientSteps, *only); err != nil {
			return err
		}
		return errors.Join(within("rounds", o.rounds, 1, maxRounds), within("seconds", o.seconds, 1, maxSeconds),
			within("circuits", o.circuits, 1, maxCircuits))
	})
	o.window = time.Duration(o.seconds) * time.Second
	o.nodes = testnet.Config{Clients: testnet.None, Voting: o.voting, LogLevel: "notice", Bins: map[string]string{testnet.All: "tor"}}
	return o, err
}

// A contender is a client in the network.
type contender struct {
	program
	node    *testnet.Node
	counted *testnet.Node // whose CPU is measured; node if nil
	host    *testnet.Node // whose CPU counts too, if any
	onion   string        // address of the onion service that leads to the server; the server's name if empty
	users   int
}

// dial opens a stream to the server.
func (c *contender) dial(ctx context.Context, user string, s *server) (net.Conn, error) {
	host, port := serverHost, s.port()
	if c.onion != "" {
		host, port = c.onion, onionPort
	}
	return dialSOCKS(ctx, c.node.SOCKS, user, host, port)
}

// usage is what the measured node has used so far.
func (c *contender) usage() (ctor.Usage, error) {
	node := c.node
	if c.counted != nil {
		node = c.counted
	}
	u, err := node.Usage()
	if err != nil || c.host == nil {
		return u, err
	}
	h, err := c.host.Usage()
	u.CPU += h.CPU
	return u, err
}

// newUser returns a SOCKS user whose streams get circuits of their own.
func (c *contender) newUser() string {
	c.users++
	return fmt.Sprintf("%s-%d", c.node.Name, c.users)
}

// A clientBench is a run of "tropea bench client".
type clientBench struct {
	o       *clientOptions
	stderr  io.Writer
	net     *testnet.Network
	server  *server
	sides   [2]contender
	results results
}

func runClient(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseClient(args, stderr)
	if err != nil {
		return err
	}
	return o.run(ctx, stdout, stderr)
}

func (o *clientOptions) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	begun := time.Now()
	programs, err := o.programs()
	if err != nil {
		return err
	}
	b := &clientBench{o: o, stderr: stderr}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.setUp(ctx, programs); err != nil {
		return err
	}
	if err := b.run(ctx); err != nil {
		return err
	}
	return newReport("client", o.rounds, begun, programs, &b.results).write(stdout, o.json)
}

// setUp brings up the network, the server behind its exits, and both clients, on one path.
func (b *clientBench) setUp(ctx context.Context, programs [2]program) (err error) {
	if err := b.startNetwork(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for s, p := range programs {
		node, err := b.net.Add(ctx, testnet.NodeConfig{
			Name: fmt.Sprintf("client%d", s+1), Bin: p.bin, Path: testnet.Path{Entry: "relay1", Middle: "relay2", Exit: "exit1"}, Torrc: p.torrc,
		})
		if err != nil {
			return err
		}
		if err := node.WaitReady(ctx); err != nil {
			return err
		}
		b.sides[s] = contender{program: p, node: node}
	}
	return nil
}

// startNetwork brings up the network, and the server behind its exits.
func (b *clientBench) startNetwork(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout+b.o.voting)
	defer cancel()
	b.say("network: up in %v at most", (2 * b.o.voting).Round(time.Second))
	if b.net, err = testnet.Start(ctx, b.o.nodes); err != nil {
		return err
	}
	if b.server, err = newServer(); err != nil {
		return err
	}
	b.net.DNS.Set(serverHost, netip.MustParseAddr(loopback))
	return nil
}

func (b *clientBench) close() error {
	if b.server != nil {
		b.server.close()
	}
	if b.net != nil {
		return b.net.Close()
	}
	return nil
}

// run does all rounds. The memory of clients is looked at before the first and after the last.
func (b *clientBench) run(ctx context.Context) error {
	if err := b.memory("memory before traffic"); err != nil {
		return err
	}
	for round := range b.o.rounds {
		for _, step := range b.o.steps {
			for _, s := range order(round) {
				b.say("round %d of %d: %s, %v", round+1, b.o.rounds, step.name, s)
				if err := b.step(ctx, step, s); err != nil {
					return fmt.Errorf("%s, %v: %w", step.name, s, err)
				}
			}
		}
	}
	return b.memory("memory after traffic")
}

// order is who comes first: in every round the other one, so that neither always finds the machine as the other left it.
func order(round int) [2]side {
	if round%2 == 0 {
		return [2]side{theirs, ours}
	}
	return [2]side{ours, theirs}
}

func (b *clientBench) step(ctx context.Context, step clientStep, s side) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout+b.o.window)
	defer cancel()
	if err := pause(ctx, settle); err != nil {
		return err
	}
	values, err := step.run(b, ctx, &b.sides[s])
	if err != nil {
		return err
	}
	b.results.add(s, values)
	return nil
}

func (b *clientBench) memory(name string) error {
	for s := range b.sides {
		u, err := b.sides[s].node.Usage()
		if err != nil {
			return err
		}
		b.results.add(side(s), []value{{quantity{name: name, unit: "MiB"}, mebibytes(u.RSS)}})
	}
	return nil
}

func (b *clientBench) say(format string, args ...any) { fmt.Fprintf(b.stderr, format+"\n", args...) }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
