package blaster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// pingRest is the pause between two round trips: what a relay keeps warm for a load is to be cold again.
const pingRest = 20 * time.Millisecond

// RoundTrips measures n round trips of a cell on an idle circuit through a relay to a relay of ours, and as many on a circuit to that
// relay directly, in turns. What the first take longer is what the relay adds. The cell is a BEGIN that is refused at once.
func RoundTrips(ctx context.Context, r Relay, n int) (through, direct []time.Duration, err error) {
	log := slog.New(slog.DiscardHandler)
	end, err := newNode(log, false)
	if err != nil {
		return nil, nil, err
	}
	defer end.Close()
	registry := link.NewRegistry(link.Config{
		Env:        env.Env{Net: netx.OS{}, Now: time.Now, Log: log},
		NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, log) },
	})
	defer registry.Close()
	middle := circuit.Hop{RSA: r.RSA, NTor: r.NTor, Addrs: []netip.AddrPort{r.Addr}}
	last := circuit.Hop{RSA: end.RSA, NTor: end.NTor, Addrs: []netip.AddrPort{end.Addr}}
	var circuits [2]*circuit.Circuit
	for i, hops := range [2][]circuit.Hop{{middle, last}, {last}} {
		l, err := registry.Get(ctx, link.Target{Addrs: hops[0].Addrs, RSA: hops[0].RSA, HasRSA: true})
		if err != nil {
			return nil, nil, err
		}
		if circuits[i], err = circuit.Create(ctx, l, hops[0], circuit.Options{}); err != nil {
			return nil, nil, err
		}
		for _, hop := range hops[1:] {
			if err := circuits[i].Extend(ctx, hop); err != nil {
				return nil, nil, err
			}
		}
	}
	var took [2][]time.Duration
	for range n {
		for i, c := range circuits {
			if err := pause(ctx, pingRest); err != nil {
				return nil, nil, err
			}
			begin := time.Now()
			if err := ping(ctx, c); err != nil {
				return nil, nil, err
			}
			took[i] = append(took[i], time.Since(begin))
		}
	}
	return took[0], took[1], nil
}

// ping has the last relay of a circuit refuse a stream.
func ping(ctx context.Context, c *circuit.Circuit) error {
	s, err := c.Tunnel().Connect(relaymsg.Begin{Addr: "192.0.2.1:9"})
	if err != nil {
		return err
	}
	defer s.Close()
	var refused *stream.EndError
	if err := s.Wait(ctx); !errors.As(err, &refused) {
		return fmt.Errorf("stream that is to be refused: %w", err)
	}
	return nil
}
