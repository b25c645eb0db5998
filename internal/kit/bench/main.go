package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// Exit codes of Main.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

const synopsis = `usage: tropea bench client [flags]
       tropea bench directory [flags]
       tropea bench relay [flags]
       tropea bench place [flags]
       tropea bench onion [flags]
       tropea bench flood [flags]
       tropea bench soak [flags]

Measures this program against another tor program, in turns, and reports both and their ratio.

  client      CPU, throughput, latency, bootstrap and memory in a private network of C tor relays
  directory   memory and time of a start with a cached directory as large as the public network's
  relay       CPU and throughput of cells that pass through a relay, circuits built, memory
  soak        half an hour of mixed traffic through a network half of C tor and half of ours: memory, goroutines, warnings
  onion       first bytes and throughput of onion services: our ends in a network of C tor, and all nodes ours
  flood       first bytes at onion services that ask for proof of work, while others come to them without
  place       CPU, round trips and memory of a guard, a middle relay and an exit in a private network of C tor relays

Each has --help.
`

// Main is the sub-command "tropea bench": args are the arguments after its name. It returns the exit code. SIGINT and
// SIGTERM end the measurement without a report.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	what := ""
	if len(args) > 0 {
		what, args = args[0], args[1:]
	}
	var run func(ctx context.Context, args []string, stdout, stderr io.Writer) error
	switch what {
	case "client":
		run = runClient
	case "directory":
		run = runDirectory
	case "relay":
		run = runRelay
	case "place":
		run = runPlace
	case "onion":
		run = runOnion
	case "flood":
		run = runFlood
	case "soak":
		run = runSoak
	case "help", "-h", "-help", "--help":
		io.WriteString(stdout, synopsis)
		return exitOK
	default:
		io.WriteString(stderr, synopsis)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, args, stdout, stderr); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	default:
		fmt.Fprintf(stderr, "bench %s: %v\n", what, err)
		return exitFailure
	}
}

// errUsage ends a run whose flags are wrong; the user has been told.
var errUsage = errors.New("wrong flags")

// common are the flags that all measurements have.
type common struct {
	rounds     int
	ours, peer string
	json       string
}

// maxRounds bounds --rounds.
const maxRounds = 100

func (c *common) register(fs *flag.FlagSet) {
	fs.IntVar(&c.rounds, "rounds", 5, "how `many` times to measure everything")
	fs.StringVar(&c.ours, "ours", "", "`program` that is measured; the default is this one")
	fs.StringVar(&c.peer, "peer", "tor", "`program` to compare with")
	fs.StringVar(&c.json, "json", "", "`file` for the results as JSON")
}

// parse reads the flags, and tells the user what is wrong with them. check looks at their values.
func parse(fs *flag.FlagSet, args []string, stderr io.Writer, check func() error) error {
	fs.SetOutput(stderr)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	err := check()
	if fs.NArg() > 0 {
		err = errors.New("takes flags only")
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench %s: %v\n", fs.Name(), err)
		return errUsage
	}
	return nil
}

// within checks the value of a flag.
func within(name string, v, low, high int) error {
	if v < low || v > high {
		return fmt.Errorf("--%s %d: want %d to %d", name, v, low, high)
	}
	return nil
}

// programs finds both programs.
func (c *common) programs() (sides [2]program, err error) {
	own := c.ours
	if own == "" {
		if own, err = os.Executable(); err != nil {
			return sides, err
		}
	}
	for side, name := range [2]string{theirs: c.peer, ours: own} {
		if sides[side], err = findProgram(name); err != nil {
			return sides, err
		}
	}
	return sides, nil
}

// A program is one of the two that are compared.
type program struct {
	bin     string
	version string // what it says of itself
	torrc   []string
}

// noGeoIP makes both programs leave the tables of countries alone that Debian installs: they take more memory than a client's
// directory.
var noGeoIP = []string{"GeoIPFile /dev/null", "GeoIPv6File /dev/null"}

func findProgram(name string) (program, error) {
	bin, err := ctor.Find(name)
	if err != nil {
		return program{}, err
	}
	out, err := exec.Command(bin, "--version").Output()
	if err != nil {
		return program{}, fmt.Errorf("%s --version: %w", bin, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return program{bin: bin, version: strings.TrimSuffix(line, "."), torrc: noGeoIP}, nil
}
