package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tropea-net/tropea/internal/kit/blaster"
	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

// relayOptions are the flags of "tropea bench relay".
type relayOptions struct {
	common
	links, circuits int
	mebibytes       int
	procs           int
}

const (
	maxLinks      = 64
	maxPerLink    = 10_000
	maxMebibytes  = 16 << 10
	relayTimeout  = 5 * time.Minute // for one load
	relayStartMax = time.Minute
	roundTrips    = 100
)

func parseRelay(args []string, stderr io.Writer) (*relayOptions, error) {
	o := new(relayOptions)
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	o.register(flags)
	flags.IntVar(&o.links, "links", 4, "how `many` links lead into the relay, and as many out of it")
	flags.IntVar(&o.circuits, "circuits", 16, "how `many` circuits each link has")
	flags.IntVar(&o.mebibytes, "mebibytes", 1024, "how `much` goes through each time; it is kept in memory")
	flags.IntVar(&o.procs, "procs", 0, "GOMAXPROCS of our relay; 0 leaves it alone")
	err := parse(flags, args, stderr, func() error {
		return errors.Join(within("rounds", o.rounds, 1, maxRounds), within("links", o.links, 1, maxLinks),
			within("circuits", o.circuits, 1, maxPerLink), within("mebibytes", o.mebibytes, 1, maxMebibytes), within("procs", o.procs, 0, 1024))
	})
	return o, err
}

func runRelay(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseRelay(args, stderr)
	if err != nil {
		return err
	}
	return o.inTurns("relay", stdout, stderr, func(s side, p program, dir string) ([]value, error) {
		return o.load(ctx, s, p, dir)
	})
}

// load starts a relay and measures it.
func (o *relayOptions) load(ctx context.Context, s side, p program, dir string) (values []value, err error) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	var env []string
	if s == ours && o.procs > 0 {
		env = []string{fmt.Sprint("GOMAXPROCS=", o.procs)}
	}
	relay, stop, err := startRelay(ctx, p, dir, env)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	through, direct, err := blaster.RoundTrips(ctx, relay, roundTrips)
	if err != nil {
		return nil, err
	}
	added := quantile(inMilliseconds(through), 0.5) - quantile(inMilliseconds(direct), 0.5)
	res, err := blaster.Run(ctx, relay, blaster.Config{Links: o.links, Circuits: o.circuits, Bytes: int64(o.mebibytes) << 20})
	if err != nil {
		return nil, err
	}
	gib := float64(res.Bytes) / (1 << 30)
	return []value{
		{quantity{"CPU, cells passing through", "s/GiB", goal{ratioAtMost, 0.5}}, res.CPU.Seconds() / gib},
		{quantity{"throughput, source and sink on the same cores", "Gbit/s", goal{ratioAtLeast, 3}}, float64(res.Bytes) * 8 / 1e9 / res.Took.Seconds()},
		{quantity{"cells", "1000/s", goal{}}, float64(res.Cells) / 1000 / res.Took.Seconds()},
		{quantity{"CPU of a circuit built", "ms", goal{}}, res.BuildCPU.Seconds() * 1000 / float64(res.Circuits)},
		{quantity{"circuits built, source and sink on the same cores", "1/s", goal{ratioAtLeast, 1.5}}, float64(res.Circuits) / res.Build.Seconds()},
		{quantity{"round trip added on an idle path, p50", "ms", goal{oursAtMost, 0.5}}, added},
		{quantity{"memory for links and circuits", "MiB", goal{}}, mebibytes(max(0, res.RSS[1]-res.RSS[0]))},
		{quantity{"memory after the load", "MiB", goal{ratioAtMost, 0.6}}, mebibytes(res.RSS[2])},
	}, nil
}

// startRelay starts a program as a relay of no network.
func startRelay(ctx context.Context, p program, dir string, env []string) (blaster.Relay, func() error, error) {
	var torrc ctor.Torrc
	for _, line := range [][]string{
		{"TestingTorNetwork", "1"},
		{"DirAuthority", "nobody", "orport=1", "no-v2", "v3ident=0000000000000000000000000000000000000001", loopback + ":1", "0000000000000000000000000000000000000001"},
		{"ORPort", loopback + ":auto", "IPv4Only"}, {"Address", loopback}, {"AssumeReachable", "1"}, {"PublishServerDescriptor", "0"},
		{"ExitRelay", "0"}, {"SocksPort", "0"}, {"Nickname", "bench"}, {"Log", "notice", "stdout"},
		{"ServerDNSDetectHijacking", "0"}, {"ServerDNSTestAddresses"}, {"ShutdownWaitLength", "0"},
	} {
		torrc.Add(line[0], line[1:]...)
	}
	process, err := ctor.Start(ctor.Config{Name: "relay", Bin: p.bin, Dir: dir, Torrc: append(torrc, p.torrc...), Env: env})
	if err != nil {
		return blaster.Relay{}, nil, err
	}
	r, err := describeRelay(ctx, process, ctor.DataDir(dir))
	if err != nil {
		return r, nil, errors.Join(err, process.Stop())
	}
	return r, process.Stop, nil
}

var orListener = regexp.MustCompile(`OR listener connection \(ready\) on (127\.0\.0\.1:\d+)`)

// describeRelay waits until a relay listens, and reads its keys.
func describeRelay(ctx context.Context, process *ctor.Process, dataDir string) (r blaster.Relay, err error) {
	ctx, cancel := context.WithTimeout(ctx, relayStartMax)
	defer cancel()
	line, err := process.Wait(ctx, orListener)
	if err != nil {
		return r, err
	}
	if r.Addr, err = netip.ParseAddrPort(orListener.FindStringSubmatch(line)[1]); err != nil {
		return r, err
	}
	b, err := awaitFile(ctx, filepath.Join(dataDir, "keys", "secret_onion_key_ntor"))
	if err != nil {
		return r, err
	}
	onion, err := keyfile.ParseOnion(b)
	if err != nil {
		return r, err
	}
	if b, err = awaitFile(ctx, filepath.Join(dataDir, "fingerprint")); err != nil {
		return r, err
	}
	fp, err := keyfile.ParseFingerprint(b)
	if err != nil {
		return r, err
	}
	r.NTor, r.RSA = onion.Public(), fp.RSA
	r.Usage = func() (time.Duration, int64, error) {
		u, err := process.Usage()
		return u.CPU, u.RSS, err
	}
	return r, nil
}

// awaitFile reads a file that a relay is about to write: it listens before it has all of its keys.
func awaitFile(ctx context.Context, name string) ([]byte, error) {
	for {
		b, err := os.ReadFile(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return nil, fmt.Errorf("%s does not come: %w", filepath.Base(name), err)
		}
	}
}
