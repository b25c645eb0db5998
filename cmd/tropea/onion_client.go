package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/tropea-net/tropea"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

// torFlags are the flags of commands that use Tor.
type torFlags struct {
	data        string
	testNetwork bool
	authorities []string
}

func (t *onionTool) clientFlags(fs *flag.FlagSet) {
	f := &t.tor
	fs.StringVar(&f.data, "data", "", "keep the choice of guards and a copy of the directory of relays in this `directory` (default in the user's configuration)")
	fs.Func("authority", "a directory authority of a private network, as the option `DirAuthority` has it; may be repeated", func(line string) error {
		f.authorities = append(f.authorities, line)
		return nil
	})
	fs.BoolVar(&f.testNetwork, "test-network", false, "the private network has TestingTorNetwork")
}

// client starts a Tor client, and tells how far that has come. ctx is about the start alone. auth are
// secrets of authorized clients.
func (t *onionTool) client(ctx context.Context, auth ...string) (*tropea.Client, error) {
	data := t.tor.data
	if data == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return nil, fmt.Errorf("%w; name a directory with --data", err)
		}
		data = filepath.Join(base, "tropea", "onion")
		if err := os.MkdirAll(filepath.Dir(data), 0o700); err != nil {
			return nil, err
		}
	}
	c, err := tropea.New(tropea.Config{
		Dir: data, Logger: t.log, OnionAuth: auth, Authorities: t.tor.authorities,
		AllowInternal: t.tor.testNetwork, TestNetwork: t.tor.testNetwork,
	})
	if err != nil {
		return nil, fmt.Errorf("%w; if another one runs, name another directory with --data", err)
	}
	if err := t.start(ctx, c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// start starts the client.
func (t *onionTool) start(ctx context.Context, c *tropea.Client) error {
	told, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	safego.Go(&wg, t.log, "progress", func() {
		for e := range c.Progress(told) {
			switch e := e.(type) {
			case tropea.Status:
				t.note("%3d%% %s", e.Percent, e.Summary)
			case *tropea.Problem:
				t.note("     %s", e.Advice)
			}
		}
	})
	return c.Start(ctx)
}
