package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// soakOptions are the flags of "tropea bench soak".
type soakOptions struct {
	clientOptions
	minutes, users int
}

const (
	maxMinutes   = 24 * 60
	maxUsers     = 500
	soakClients  = 4 // processes: two of each program
	sampleEvery  = 30 * time.Second
	bulkLen      = 4 << 20
	thinkTime    = 5 * time.Second // on average, between two pieces of work of a user
	soakPatience = time.Minute     // for one piece of work
)

func parseSoak(args []string, stderr io.Writer) (*soakOptions, error) {
	o := new(soakOptions)
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	o.register(fs)
	fs.IntVar(&o.minutes, "minutes", 30, "how long, in `minutes`")
	fs.IntVar(&o.users, "users", 50, "how `many` users make traffic")
	fs.DurationVar(&o.voting, "voting", 10*time.Second, "voting interval of the network")
	return o, parse(fs, args, stderr, func() error {
		return errors.Join(within("minutes", o.minutes, 1, maxMinutes), within("users", o.users, 1, maxUsers))
	})
}

// A soakSample is what our nodes use at one time.
type soakSample struct {
	Minute float64             `json:"minute"`
	Nodes  map[string]soakNode `json:"nodes"`
	Done   int64               `json:"done"`   // pieces of work so far
	Failed int64               `json:"failed"` // and those that failed
	Bytes  int64               `json:"bytes"`  // of users
}

type soakNode struct {
	RSS        float64 `json:"rss_mib"`
	Goroutines int     `json:"goroutines"`
	CPU        float64 `json:"cpu_seconds"`
}

// A soak is a network half of C tor and half of ours in every place, and users who do all kinds of things for a long time.
type soak struct {
	clientBench
	o                   *soakOptions
	done, failed, bytes atomic.Int64
	samples             []soakSample
}

func runSoak(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parseSoak(args, stderr)
	if err != nil {
		return err
	}
	if statusSignal == nil {
		return errors.ErrUnsupported
	}
	programs, err := o.programs()
	if err != nil {
		return err
	}
	own := programs[ours].bin
	o.nodes = testnet.Config{
		Relays: 6, Exits: 4, Clients: soakClients, Voting: o.voting,
		Bins: map[string]string{testnet.All: "tor", "relay4": own, "relay5": own, "relay6": own, "exit3": own, "exit4": own, "client3": own, "client4": own},
	}
	s := &soak{clientBench: clientBench{o: &o.clientOptions, stderr: stderr}, o: o}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.startNetwork(ctx); err != nil {
		return err
	}
	return s.run(ctx, stdout)
}

func (s *soak) run(ctx context.Context, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.o.minutes)*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i := range s.o.users {
		client := s.net.Node(fmt.Sprintf("client%d", i%soakClients+1))
		wg.Go(func() { s.use(ctx, &contender{node: client, users: i * 1_000_000}) })
	}
	err := s.watch(ctx)
	cancel()
	wg.Wait()
	if err != nil {
		return err
	}
	return s.report(stdout)
}

// use is a user: one piece of work after the other, each on a circuit of its own or on that of the last one.
func (s *soak) use(ctx context.Context, c *contender) {
	user := c.newUser()
	for ctx.Err() == nil {
		if rand.IntN(4) == 0 {
			user = c.newUser()
		}
		work, cancel := context.WithTimeout(ctx, soakPatience)
		n, err := s.work(work, c, user)
		cancel()
		s.bytes.Add(n)
		switch {
		case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) && s.over(ctx):
			return
		case err != nil:
			s.failed.Add(1)
			s.say("%s: %v", c.node.Name, err)
		default:
			s.done.Add(1)
		}
		pause(ctx, time.Duration(rand.ExpFloat64()*float64(thinkTime)))
	}
}

// over tells whether the time of all is up, which a connection may learn a little sooner than the context.
func (s *soak) over(ctx context.Context) bool {
	end, _ := ctx.Deadline()
	return !time.Now().Before(end)
}

// work is a download, an upload, a talk, or a stream that idles, and returns how many bytes went through.
func (s *soak) work(ctx context.Context, c *contender, user string) (int64, error) {
	mode := [...]byte{modePing, modePing, modeDownload, modeUpload, modeEcho}[rand.IntN(5)]
	conn, err := s.open(ctx, c, user, mode)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	size := int64(bulkLen * rand.Float64())
	switch mode {
	case modePing:
		return io.CopyN(io.Discard, conn, 1)
	case modeDownload:
		return io.CopyN(io.Discard, conn, size)
	case modeUpload:
		return io.CopyN(conn, zeros{}, size)
	}
	var buf [echoLen]byte
	var sum int64
	for range 20 {
		if err := echo(conn, buf[:]); err != nil {
			return sum, err
		}
		sum += 2 * echoLen
		pause(ctx, time.Duration(rand.ExpFloat64()*float64(200*time.Millisecond)))
	}
	return sum, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// watch takes samples until ctx ends. A node that ends is an error.
func (s *soak) watch(ctx context.Context) error {
	begin := time.Now()
	for ctx.Err() == nil {
		sample := soakSample{Minute: time.Since(begin).Minutes(), Nodes: map[string]soakNode{}, Done: s.done.Load(), Failed: s.failed.Load(), Bytes: s.bytes.Load()}
		for _, node := range s.net.Nodes() {
			if !node.Running() {
				return fmt.Errorf("%s has ended", node.Name)
			}
			if s.o.nodes.Bins[node.Name] == "" {
				continue
			}
			n, err := statusOf(ctx, node)
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("%s: %w", node.Name, err)
			}
			sample.Nodes[node.Name] = n
		}
		s.samples = append(s.samples, sample)
		s.say("%.1f min: %d done, %d failed, %d MiB", sample.Minute, sample.Done, sample.Failed, sample.Bytes>>20)
		pause(ctx, sampleEvery)
	}
	return nil
}

var aboutVotes = regexp.MustCompile(`\[warn\] (\{DIR\}|\{DIRSERV\} Rejected vote|.*requesting_status.* 404 "Not found")`)

var statistics = regexp.MustCompile(`Statistics.* goroutines=(\d+)`)

// statusOf asks a node of ours for its figures, which it writes to its log.
func statusOf(ctx context.Context, node *testnet.Node) (n soakNode, err error) {
	u, err := node.Usage()
	if err != nil {
		return n, err
	}
	n.RSS, n.CPU = mebibytes(u.RSS), u.CPU.Seconds()
	log, err := node.Log()
	if err != nil {
		return n, err
	}
	before := len(statistics.FindAllString(log, -1))
	if err := node.Kick(statusSignal); err != nil {
		return n, err
	}
	for {
		if log, err = node.Log(); err != nil {
			return n, err
		}
		if all := statistics.FindAllStringSubmatch(log, -1); len(all) > before {
			n.Goroutines, err = strconv.Atoi(all[len(all)-1][1])
			return n, err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return n, err
		}
	}
}

// report shows how each node of ours has grown since a third of the time.
func (s *soak) report(stdout io.Writer) error {
	if len(s.samples) < 2 {
		return errors.New("too few samples")
	}
	first, last := s.samples[len(s.samples)/3], s.samples[len(s.samples)-1]
	fmt.Fprintf(stdout, "%-10s %14s %14s %12s %12s %9s\n", "node", "MiB at a third", "MiB at the end", "goroutines", "at the end", "CPU s")
	var names []string
	for name := range last.Nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a, b := first.Nodes[name], last.Nodes[name]
		fmt.Fprintf(stdout, "%-10s %14.1f %14.1f %12d %12d %9.1f\n", name, a.RSS, b.RSS, a.Goroutines, b.Goroutines, b.CPU)
	}
	fmt.Fprintf(stdout, "%d pieces of work done, %d failed, %d MiB\n", last.Done, last.Failed, last.Bytes>>20)
	warnings, err := s.net.ProtocolWarnings()
	if err != nil {
		return err
	}
	// What authorities say of each other's votes, when the machine is too busy for their timetable, is not about us; nor is
	// that relays of ours wait for the first consensus.
	warnings = slices.DeleteFunc(warnings, func(line string) bool { return aboutVotes.MatchString(line) })
	fmt.Fprintf(stdout, "%d protocol warnings\n", len(warnings))
	for _, line := range warnings[:min(20, len(warnings))] {
		fmt.Fprintln(stdout, line)
	}
	if s.o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(s.samples, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(s.o.json, text, 0o644)
}
