package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// floodOptions are the flags of "tropea bench flood".
type floodOptions struct {
	clientOptions
	flood, rate int
}

const (
	maxFlood     = 100
	floodHold    = 3 * time.Second  // how long a request of the flood waits for its answer
	floodPoll    = 15 * time.Second // between two looks at whether the service asks for work
	floodWait    = 15 * time.Minute // until it does: both programs look at the effort every five minutes
	floodTimeout = time.Minute      // for one request that pays
	floodSoon    = 10 * time.Second // a client that has come so soon has not paid because the first attempt was in vain
)

func parseFlood(args []string, stderr io.Writer) (*floodOptions, error) {
	o := new(floodOptions)
	fs := flag.NewFlagSet("flood", flag.ContinueOnError)
	o.register(fs)
	fs.IntVar(&o.flood, "flood", 8, "how `many` introductions without proof of work come to each service in a second")
	fs.IntVar(&o.rate, "rate", 3, "how `many` clients each service meets in a second (HiddenServicePoWQueueRate)")
	fs.DurationVar(&o.voting, "voting", time.Minute, "voting interval of the network; a new consensus disturbs, the first one is waited for")
	err := parse(fs, args, stderr, func() error {
		return errors.Join(within("rounds", o.rounds, 1, maxRounds), within("flood", o.flood, 1, maxFlood), within("rate", o.rate, 1, maxFlood))
	})
	o.nodes = testnet.Config{Relays: 4, Exits: 1, Clients: testnet.None, Voting: o.voting, LogLevel: "notice", Bins: map[string]string{testnet.All: "tor"}}
	return o, err
}

// A target is a service under a flood.
type target struct {
	host  *testnet.Node
	flood *contender // makes it
	sent  atomic.Int64
	met   atomic.Int64 // requests of the flood that were answered
}

// A floodBench is a run of "tropea bench flood".
type floodBench struct {
	clientBench
	o       *floodOptions
	own     program // of all clients, whoever is measured
	targets [2]target
	clients atomic.Int64
}

// runFlood measures how long clients wait that make proofs of work, at services to which others come without.
func runFlood(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	begun := time.Now()
	o, err := parseFlood(args, stderr)
	if err != nil {
		return err
	}
	start, cancel := context.WithTimeout(ctx, startTimeout+o.voting)
	defer cancel()
	f, programs, err := o.start(start, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for s, p := range programs {
		if err := f.serve(start, side(s), p); err != nil {
			return fmt.Errorf("%v: %w", side(s), err)
		}
	}
	if err := f.underFlood(ctx); err != nil {
		return err
	}
	return newReport("flood", o.rounds, begun, programs, &f.results).write(stdout, o.json)
}

// start brings up the network, and the server behind both services.
func (o *floodOptions) start(ctx context.Context, stderr io.Writer) (f *floodBench, programs [2]program, err error) {
	if programs, err = o.programs(); err != nil {
		return nil, programs, err
	}
	f = &floodBench{clientBench: clientBench{o: &o.clientOptions, stderr: stderr}, o: o, own: programs[ours]}
	if f.server, err = newServer(); err != nil {
		return nil, programs, err
	}
	o.nodes.OnionTarget = f.server.listener.Addr().String()
	f.say("network: up in %v at most", (2 * o.voting).Round(time.Second))
	if f.net, err = testnet.Start(ctx, o.nodes); err != nil {
		f.server.close()
		return nil, programs, err
	}
	return f, programs, nil
}

// serve starts a service, and the client from which the flood comes.
func (f *floodBench) serve(ctx context.Context, s side, p program) (err error) {
	t := &f.targets[s]
	t.host, err = f.net.Add(ctx, testnet.NodeConfig{Name: fmt.Sprintf("onion%d", s+1), Bin: p.bin, Torrc: append([]string{
		"HiddenServicePoWDefensesEnabled 1", fmt.Sprintf("HiddenServicePoWQueueRate %d", f.o.rate), fmt.Sprintf("HiddenServicePoWQueueBurst %d", 2*f.o.rate),
	}, p.torrc...)})
	if err != nil {
		return err
	}
	if err := t.host.WaitReady(ctx); err != nil {
		return err
	}
	if t.flood, err = f.client(ctx, s); err != nil {
		return err
	}
	for { // a directory has the descriptor, which need not be the one that is asked first
		try, cancel := context.WithTimeout(ctx, probeTimeout)
		err := f.ping(try, t.flood, t.flood.newUser(), new(latencies))
		cancel()
		if err == nil {
			return nil
		}
		if e := pause(ctx, settle); e != nil {
			return err
		}
	}
}

// client starts a client of ours that comes to a service.
func (f *floodBench) client(ctx context.Context, s side) (*contender, error) {
	onion, err := f.targets[s].host.Hostname()
	if err != nil {
		return nil, err
	}
	node, err := f.net.Add(ctx, testnet.NodeConfig{
		Name: fmt.Sprintf("client%d", f.clients.Add(1)), Bin: f.own.bin, Torrc: append([]string{"Log debug stdout"}, f.own.torrc...),
	})
	if err != nil {
		return nil, err
	}
	return &contender{program: f.own, node: node, onion: onion}, node.WaitReady(ctx)
}

// underFlood does all rounds while both services are flooded.
func (f *floodBench) underFlood(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for s := range f.targets {
		t := &f.targets[s]
		wg.Go(func() { f.pour(ctx, t, &wg) })
	}
	for s := range f.targets {
		f.say("waiting until the service of %v asks for proof of work: five minutes or more", side(s))
		if err := f.awaitPrice(ctx, side(s)); err != nil {
			return fmt.Errorf("%v: %w", side(s), err)
		}
	}
	for round := range f.o.rounds {
		for _, s := range order(round) {
			f.say("round %d of %d: %v", round+1, f.o.rounds, s)
			values, err := f.pay(ctx, s)
			if err != nil {
				return fmt.Errorf("%v: %w", s, err)
			}
			f.results.add(s, values)
		}
	}
	return nil
}

// pour sends requests to a service until ctx ends, each from a user of its own, who does not wait for long.
func (f *floodBench) pour(ctx context.Context, t *target, wg *sync.WaitGroup) {
	tick := time.NewTicker(time.Second / time.Duration(f.o.flood))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		user := t.flood.newUser()
		t.sent.Add(1)
		wg.Go(func() {
			limited, cancel := context.WithTimeout(ctx, floodHold)
			defer cancel()
			if f.ping(limited, t.flood, user, new(latencies)) == nil {
				t.met.Add(1)
			}
		})
	}
}

// worked is in the log of a client that has made a proof of work.
var worked = regexp.MustCompile(`proof of work made: .*effort=(\d+)`)

// awaitPrice returns when fresh clients have to make proofs of work.
func (f *floodBench) awaitPrice(ctx context.Context, s side) error {
	ctx, cancel := context.WithTimeout(ctx, floodWait)
	defer cancel()
	for {
		first, _, paid, err := f.come(ctx, s, 0)
		if paid && err == nil && first.first[0] < milliseconds(floodSoon) {
			return nil
		}
		if err := pause(ctx, floodPoll); err != nil {
			return fmt.Errorf("no proof of work is asked for after %v: %w", floodWait, err)
		}
	}
}

// payPings is how often a client comes to a service that it has come to before.
const payPings = 5

// come has a fresh client come to a service, and then again so many times. It tells whether the client has made proofs of work.
func (f *floodBench) come(ctx context.Context, s side, more int) (first, again latencies, paid bool, err error) {
	c, err := f.client(ctx, s)
	if err != nil {
		return first, again, false, err
	}
	defer func() { err = errors.Join(err, c.node.Stop()) }()
	for i := range more + 1 {
		l := &again
		if i == 0 {
			l = &first
		}
		if err = f.patientPing(ctx, c, l); err != nil {
			break
		}
	}
	log, e := c.node.Log()
	return first, again, worked.MatchString(log), errors.Join(err, e)
}

func (f *floodBench) patientPing(ctx context.Context, c *contender, l *latencies) error {
	ctx, cancel := context.WithTimeout(ctx, floodTimeout)
	defer cancel()
	return f.ping(ctx, c, c.newUser(), l)
}

// errUnpaid is the error of a service that has stopped to ask for proofs of work.
var errUnpaid = errors.New("the service does not ask for proof of work any more")

// pay measures a client that makes proofs of work, and how much of the flood is served meanwhile.
func (f *floodBench) pay(ctx context.Context, s side) ([]value, error) {
	t := &f.targets[s]
	sent, met := t.sent.Load(), t.met.Load()
	before, err := t.host.Usage()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	first, again, paid, err := f.come(ctx, s, payPings)
	if err == nil && !paid {
		err = errUnpaid
	}
	if err != nil {
		return nil, err
	}
	took := time.Since(begin)
	after, err := t.host.Usage()
	if err != nil {
		return nil, err
	}
	values := percentiles("first byte, fresh client that pays", goalNoSlower, first.first)[:1]
	values = append(values, percentiles("first byte, known service, client that pays", goalNoSlower, again.first)...)
	return append(values,
		value{quantity{"introductions without proof", "1/s", goal{}}, float64(t.sent.Load()-sent) / took.Seconds()},
		value{quantity{"of these answered in 3 s", "1/s", goal{}}, float64(t.met.Load()-met) / took.Seconds()},
		value{quantity{"CPU of the host", "ms/s", goal{}}, milliseconds(after.CPU-before.CPU) / took.Seconds()},
	), nil
}
