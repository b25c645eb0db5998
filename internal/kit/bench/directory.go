package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// directoryOptions are the flags of "tropea bench directory".
type directoryOptions struct {
	common
	relays int
	idle   time.Duration
}

const (
	maxRelays = 100_000
	maxIdle   = 600 // seconds
	// loadTimeout is how long a client may take to read its cache.
	loadTimeout = time.Minute
)

// enough is the bootstrap of a client that needs nothing more of the directory and connects to its first guard. C tor does
// not report what it found in its cache, and says 5 % then.
var enough = [2]int{theirs: 5, ours: 75}

func parseDirectory(args []string, stderr io.Writer) (*directoryOptions, error) {
	o := new(directoryOptions)
	fs := flag.NewFlagSet("directory", flag.ContinueOnError)
	o.register(fs)
	fs.IntVar(&o.relays, "relays", 9000, "how `many` relays the directory lists")
	seconds := fs.Int("idle", 30, "how long to leave the client alone before its memory is looked at again, in `seconds`")
	err := parse(fs, args, stderr, func() error {
		return errors.Join(within("rounds", o.rounds, 1, maxRounds), within("relays", o.relays, 1, maxRelays), within("idle", *seconds, 0, maxIdle))
	})
	o.idle = time.Duration(*seconds) * time.Second
	return o, err
}

// goalMemory is in MiB: some phones give a program in the background no more than 50 in all.
var goalMemory = goal{oursAtMost, 60}

func runDirectory(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseDirectory(args, stderr)
	if err != nil {
		return err
	}
	return o.inTurns("directory", stdout, stderr, func(s side, p program, dir string) ([]value, error) {
		return o.loadCache(ctx, p, dir, enough[s])
	})
}

// loadCache starts a client on a cached directory and measures what that takes.
func (o *directoryOptions) loadCache(ctx context.Context, p program, dir string, percent int) (values []value, err error) {
	torrc, err := writeCache(ctor.DataDir(dir), o.relays)
	if err != nil {
		return nil, err
	}
	torrc = append(torrc, p.torrc...)
	limited, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	process, start, err := startUntil(limited, ctor.Config{Name: filepath.Base(dir), Bin: p.bin, Dir: dir, Torrc: torrc}, percent)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, process.Stop()) }()
	if err := pause(ctx, o.idle); err != nil {
		return nil, err
	}
	later, err := process.Usage()
	if err != nil {
		return nil, err
	}
	after := fmt.Sprintf("memory %.0f s later", o.idle.Seconds())
	return []value{
		{quantity{"start until enough is known", "s", goal{}}, start.took.Seconds()},
		{quantity{"CPU of the start", "s", goal{}}, start.usage.CPU.Seconds()},
		{quantity{"memory at the start", "MiB", goal{}}, mebibytes(start.usage.RSS)},
		{quantity{after, "MiB", goalMemory}, mebibytes(later.RSS)},
	}, nil
}
