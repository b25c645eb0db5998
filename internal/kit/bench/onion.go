package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// onionPort is the port of all onion services, behind which the server is.
const onionPort = 80

// onionOptions are the flags of "tropea bench onion".
type onionOptions struct {
	clientOptions
	clients  int
	services int
	idle     time.Duration
	steps    []onionStep
}

const (
	maxFresh    = 20
	maxServices = 20
)

func parseOnion(args []string, stderr io.Writer) (*onionOptions, error) {
	o := new(onionOptions)
	fs := flag.NewFlagSet("onion", flag.ContinueOnError)
	o.register(fs)
	fs.IntVar(&o.seconds, "seconds", 6, "how long to measure traffic each time, in `seconds`")
	fs.IntVar(&o.clients, "clients", 3, "how `many` fresh clients there are in each round")
	fs.IntVar(&o.services, "services", 5, "how `many` services a fresh client comes to, one after the other")
	fs.DurationVar(&o.idle, "idle", 5*time.Second, "how long clients are up before they are asked for anything")
	fs.DurationVar(&o.voting, "voting", time.Minute, "voting interval of the networks; a new consensus disturbs, the first one is waited for")
	only := fs.String("only", "", "leave out all steps but those whose name this `regexp` matches, and the first: "+stepNames(onionSteps))
	err := parse(fs, args, stderr, func() (err error) {
		if o.steps, err = selectOnionSteps(*only); err != nil {
			return err
		}
		return errors.Join(within("rounds", o.rounds, 1, maxRounds), within("seconds", o.seconds, 1, maxSeconds),
			within("clients", o.clients, 1, maxFresh), within("services", o.services, 2, maxServices))
	})
	o.window = time.Duration(o.seconds) * time.Second
	o.nodes = testnet.Config{Relays: 4, Exits: 1, Clients: testnet.None, Voting: o.voting, LogLevel: "notice"}
	return o, err
}

// A cast is who plays the parts: the ends (client and host), and the relays between them.
type cast int

const (
	peerAll  cast = iota // all of them the peer
	ourEnds              // our ends, and the peer's relays
	oursAll              // all of them ours
	numCasts             // their number
)

func (k cast) String() string { return [...]string{"peer", "our ends", "all nodes ours"}[k] }

// program is that of the ends.
func (k cast) program(programs [2]program) program {
	if k == peerAll {
		return programs[theirs]
	}
	return programs[ours]
}

// A stage is a cast in its network.
type stage struct {
	clientBench // whose network it is, and the server
	cast        cast
	program     program
	host        *testnet.Node
	services    []string // addresses
	client      *testnet.Node
	born        int
}

// An onionBench is a run of "tropea bench onion".
type onionBench struct {
	o        *onionOptions
	stderr   io.Writer
	server   *server
	networks []*testnet.Network
	stages   [numCasts]*stage
	results  results
}

func runOnion(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOnion(args, stderr)
	if err != nil {
		return err
	}
	return o.run(ctx, stdout, stderr)
}

func (o *onionOptions) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	begun := time.Now()
	programs, err := o.programs()
	if err != nil {
		return err
	}
	b := &onionBench{o: o, stderr: stderr}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.setUp(ctx, programs); err != nil {
		return err
	}
	if err := b.run(ctx); err != nil {
		return err
	}
	return newReport("onion", o.rounds, begun, programs, &b.results).write(stdout, o.json)
}

func (b *onionBench) close() error {
	var errs []error
	for _, n := range b.networks {
		errs = append(errs, n.Close())
	}
	if b.server != nil {
		b.server.close()
	}
	return errors.Join(errs...)
}

func (b *onionBench) say(format string, args ...any) { fmt.Fprintf(b.stderr, format+"\n", args...) }

// setUp brings up both networks, and in them the hosts of all casts.
func (b *onionBench) setUp(ctx context.Context, programs [2]program) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout+b.o.voting)
	defer cancel()
	if b.server, err = newServer(); err != nil {
		return err
	}
	b.say("networks: up in %v at most", (2 * b.o.voting).Round(time.Second))
	networks, err := b.startNetworks(ctx, programs)
	if err != nil {
		return err
	}
	errs := make([]error, numCasts)
	var wg sync.WaitGroup
	for k := range numCasts {
		network := networks[theirs]
		if k == oursAll {
			network = networks[ours]
		}
		s := &stage{cast: k, program: k.program(programs)}
		s.clientBench = clientBench{o: &b.o.clientOptions, stderr: b.stderr, net: network, server: b.server}
		b.stages[k] = s
		wg.Go(func() { errs[k] = s.serve(ctx, b.o.services) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// startNetworks brings up a network of each program.
func (b *onionBench) startNetworks(ctx context.Context, programs [2]program) (networks [2]*testnet.Network, err error) {
	var errs [2]error
	var wg sync.WaitGroup
	for s, p := range programs {
		cfg := b.o.nodes
		cfg.Bins = map[string]string{testnet.All: p.bin}
		cfg.Torrc = map[string][]string{testnet.All: p.torrc}
		cfg.OnionTarget = b.server.listener.Addr().String()
		wg.Go(func() { networks[s], errs[s] = testnet.Start(ctx, cfg) })
	}
	wg.Wait()
	for _, n := range networks {
		if n != nil {
			b.networks = append(b.networks, n)
		}
	}
	return networks, errors.Join(errs[:]...)
}

// serve starts the host, and returns when a client has come to all of its services.
func (s *stage) serve(ctx context.Context, services int) (err error) {
	name := fmt.Sprintf("onion%d", s.cast+1)
	var torrc, dirs []string
	for i := range services - 1 { // the node has one of its own
		dirs = append(dirs, filepath.Join(s.net.Dir(), fmt.Sprintf("%s-service%d", name, i)))
		torrc = append(torrc, "HiddenServiceDir "+dirs[i], fmt.Sprintf("HiddenServicePort %d %s", onionPort, s.server.listener.Addr()))
	}
	s.host, err = s.net.Add(ctx, testnet.NodeConfig{Name: name, Bin: s.program.bin, Torrc: append(torrc, s.program.torrc...)})
	if err != nil {
		return err
	}
	if err := s.host.WaitReady(ctx); err != nil {
		return err
	}
	if s.services, err = hostnames(s.host, dirs); err != nil {
		return err
	}
	return s.probe(ctx)
}

// hostnames are the addresses of a host's services: its own, and those in dirs.
func hostnames(host *testnet.Node, dirs []string) ([]string, error) {
	own, err := host.Hostname()
	if err != nil {
		return nil, err
	}
	list := []string{own}
	for _, dir := range dirs {
		name, err := readLine(filepath.Join(dir, "hostname"))
		if err != nil {
			return nil, err
		}
		list = append(list, name)
	}
	return list, nil
}

// probe comes to all services until that works: their descriptors are uploaded one after the other.
func (s *stage) probe(ctx context.Context) error {
	c, err := s.fresh(ctx)
	if err != nil {
		return err
	}
	for _, c.onion = range s.services {
		for {
			try, cancel := context.WithTimeout(ctx, probeTimeout)
			err := s.ping(try, c, c.newUser(), new(latencies))
			cancel()
			if err == nil {
				break
			}
			if err := pause(ctx, settle); err != nil {
				return fmt.Errorf("%v: %s is not reached: %w", s.cast, c.onion, err)
			}
		}
	}
	return nil
}

// probeTimeout is how long one attempt to come to a service may take before the first has worked.
const probeTimeout = 20 * time.Second

// fresh starts a client that knows nothing of any service, in the place of the one before.
func (s *stage) fresh(ctx context.Context) (*contender, error) {
	if s.client != nil {
		if err := s.client.Stop(); err != nil {
			return nil, err
		}
	}
	s.born++
	node, err := s.net.Add(ctx, testnet.NodeConfig{
		Name: fmt.Sprintf("client%d", int(s.cast)+1+int(numCasts)*s.born), Bin: s.program.bin, Torrc: s.program.torrc,
	})
	if err != nil {
		return nil, err
	}
	s.client = node
	if err := node.WaitReady(ctx); err != nil {
		return nil, err
	}
	return s.contender(), nil
}

// contender is the client that is there, on its way to the first service.
func (s *stage) contender() *contender {
	return &contender{program: s.program, node: s.client, host: s.host, onion: s.services[0]}
}
