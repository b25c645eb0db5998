package bench

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// A start is what it took a process to come up.
type start struct {
	took  time.Duration // from before the process until the log line
	usage ctor.Usage    // then
}

// startUntil starts a process and waits for a bootstrap of percent. The process goes on.
func startUntil(ctx context.Context, cfg ctor.Config, percent int) (*ctor.Process, start, error) {
	begin := time.Now()
	p, err := ctor.Start(cfg)
	if err != nil {
		return nil, start{}, err
	}
	s := start{}
	err = p.WaitBootstrap(ctx, percent)
	s.took = time.Since(begin)
	if err == nil {
		s.usage, err = p.Usage()
	}
	if err != nil {
		return nil, start{}, errors.Join(err, p.Stop())
	}
	return p, s, nil
}

// bootstrap starts a client of the network in a new directory, and then again with what that has left there.
func (b *clientBench) bootstrap(ctx context.Context, c *contender) (cold, cached start, err error) {
	name := "bootstrap-" + c.newUser()
	torrc := append(ctor.Torrc(b.net.ClientTorrc()), c.torrc...)
	torrc.Add("SocksPort", "auto")
	torrc.Add("Log", "notice", "stdout")
	cfg := ctor.Config{Name: name, Bin: c.bin, Dir: filepath.Join(b.net.Dir(), name), Torrc: torrc}
	for _, s := range []*start{&cold, &cached} {
		var p *ctor.Process
		if p, *s, err = startUntil(ctx, cfg, 100); err != nil {
			return start{}, start{}, err
		}
		if err := p.Stop(); err != nil {
			return start{}, start{}, err
		}
	}
	return cold, cached, nil
}
