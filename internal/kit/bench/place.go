package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// A place is where the relay that is measured stands in a client's paths.
type place string

// The places.
const (
	placeGuard  place = "guard"
	placeMiddle place = "middle"
	placeExit   place = "exit"
)

var places = []place{placeGuard, placeMiddle, placeExit}

// path is through the relay or exit that is measured, and else through those of the network.
func (p place) path(measured string) testnet.Path {
	switch p {
	case placeGuard:
		return testnet.Path{Entry: measured, Middle: "relay1", Exit: "exit1"}
	case placeMiddle:
		return testnet.Path{Entry: "relay1", Middle: measured, Exit: "exit1"}
	}
	return testnet.Path{Entry: "relay1", Middle: "relay2", Exit: measured}
}

// measured are the names of the nodes that are measured, in a network of 4 relays and 3 exits.
var measured = map[place][2]string{
	placeGuard:  {theirs: "relay3", ours: "relay4"},
	placeMiddle: {theirs: "relay3", ours: "relay4"},
	placeExit:   {theirs: "exit2", ours: "exit3"},
}

// parsePlace reads the flags of "tropea bench place".
func parsePlace(args []string, stderr io.Writer) (*clientOptions, []place, error) {
	o := new(clientOptions)
	list := places
	fs := flag.NewFlagSet("place", flag.ContinueOnError)
	o.register(fs)
	fs.IntVar(&o.seconds, "seconds", 6, "how long to measure traffic each time, in `seconds`")
	fs.IntVar(&o.circuits, "circuits", 16, "how `many` circuits the bulk load has")
	fs.DurationVar(&o.voting, "voting", time.Minute, "voting interval of the network; a new consensus disturbs, the first one is waited for")
	only := fs.String("only", "", "one `place`: guard, middle or exit")
	err := parse(fs, args, stderr, func() error {
		if *only != "" {
			list = []place{place(strings.ToLower(*only))}
			if !slices.Contains(places, list[0]) {
				return fmt.Errorf("--only %s: want guard, middle or exit", *only)
			}
		}
		return errors.Join(within("rounds", o.rounds, 1, maxRounds), within("seconds", o.seconds, 1, maxSeconds),
			within("circuits", o.circuits, 1, maxCircuits))
	})
	o.window = time.Duration(o.seconds) * time.Second
	return o, list, err
}

// runPlace measures a relay in its places in a network of C tor: CPU of what it carries for a client, what it adds to a
// round trip, and how long a small request waits beside a load.
func runPlace(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	begun := time.Now()
	o, list, err := parsePlace(args, stderr)
	if err != nil {
		return err
	}
	programs, err := o.programs()
	if err != nil {
		return err
	}
	bin, torrc := map[string]string{testnet.All: "tor"}, map[string][]string{}
	for s, p := range programs {
		for _, names := range measured {
			bin[names[s]], torrc[names[s]] = p.bin, p.torrc
		}
	}
	o.nodes = testnet.Config{
		Relays: 4, Exits: 3, Clients: testnet.None, Voting: o.voting, LogLevel: "notice", Bins: bin, Torrc: torrc,
	}
	b := &clientBench{o: o, stderr: stderr}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.startNetwork(ctx); err != nil {
		return err
	}
	clients := 0
	for round := range o.rounds {
		for _, p := range list {
			for _, s := range order(round) {
				clients++
				b.say("round %d of %d: %s, %v", round+1, o.rounds, p, s)
				values, err := b.measurePlace(ctx, p, s, fmt.Sprintf("client%d", clients), programs[ours])
				if err != nil {
					return fmt.Errorf("%s, %v: %w", p, s, err)
				}
				b.results.add(s, values)
			}
		}
	}
	return newReport("place", o.rounds, begun, programs, &b.results).write(stdout, o.json)
}

// measurePlace starts a client of ours, whatever is measured, whose paths go through a relay in one place.
func (b *clientBench) measurePlace(ctx context.Context, p place, s side, client string, program program) (values []value, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*stepTimeout+2*b.o.window)
	defer cancel()
	name := measured[p][s]
	node, err := b.net.Add(ctx, testnet.NodeConfig{Name: client, Bin: program.bin, Path: p.path(name), Torrc: program.torrc})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, node.Stop()) }()
	if err := node.WaitReady(ctx); err != nil {
		return nil, err
	}
	c := &contender{program: program, node: node, counted: b.net.Node(name)}
	idle, err := b.echoes(ctx, c)
	if err != nil {
		return nil, err
	}
	var busy []float64
	speed, cpu, err := b.downloadBeside(ctx, c, b.o.circuits, func(ctx context.Context) (err error) {
		busy, err = b.echoes(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	u, err := c.counted.Usage()
	what := fmt.Sprintf("%s, %d circuits", p, b.o.circuits)
	cpuGoal := goal{ratioAtMost, 0.55}
	if p == placeMiddle {
		cpuGoal.bound = 0.5
	}
	values = traffic(what, goal{}, cpuGoal, speed, cpu)
	values = append(values, percentiles(fmt.Sprintf("1 KB echo, idle path, %s", p), goalNoSlower, idle)...)
	values = append(values, percentiles(fmt.Sprintf("1 KB echo beside %d bulk circuits, %s", b.o.circuits, p), goal{}, busy)...)
	return append(values, value{quantity{fmt.Sprintf("memory, %s", p), "MiB", goal{ratioAtMost, 0.6}}, mebibytes(u.RSS)}), err
}

const (
	echoes   = 100
	echoLen  = 1024
	echoRest = 10 * time.Millisecond // between two echoes
)

// echoes measures round trips of 1 KB on one stream, in milliseconds.
func (b *clientBench) echoes(ctx context.Context, c *contender) (list []float64, err error) {
	conn, err := b.open(ctx, c, c.newUser(), modeEcho)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	var buf [echoLen]byte
	for i := range echoes + 1 {
		begin := time.Now()
		if err := echo(conn, buf[:]); err != nil {
			return nil, err
		}
		if i > 0 { // the first one waits for the stream to open
			list = append(list, milliseconds(time.Since(begin)))
		}
		if err := pause(ctx, echoRest); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func echo(conn net.Conn, buf []byte) error {
	if _, err := conn.Write(buf); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, buf)
	return err
}
