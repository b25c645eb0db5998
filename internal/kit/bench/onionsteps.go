package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// An onionStep is a part of a round.
type onionStep struct {
	name string
	run  func(b *onionBench, ctx context.Context, casts []cast) error
}

// openCircuits is on how many circuits requests are sent that find one open.
const openCircuits = 5

// onionSteps are what a round consists of. The first leaves a client for the others.
var onionSteps = []onionStep{
	{"fresh clients", (*onionBench).freshClients},
	{"new circuits", eachCast(func(ctx context.Context, s *stage) ([]onionValue, error) {
		l, failed := new(latencies), 0
		for range coldPings {
			n, err := s.come(ctx, s.contender(), l)
			if err != nil {
				return nil, err
			}
			failed += n
		}
		return append(firstBytes("first byte, known service, new circuit", l.first),
			onionValue{"requests that failed, known service", "", goal{}, goal{}, float64(failed)}), nil
	})},
	{"open circuit", eachCast(func(ctx context.Context, s *stage) ([]onionValue, error) {
		// Several circuits: where a small network has one go through the same link twice, C tor's relays hold every cell back there.
		c, l := s.contender(), new(latencies)
		for range openCircuits {
			if _, err := s.tries(ctx, func() error { return s.warmPings(ctx, c, warmPings/openCircuits, l) }); err != nil {
				return nil, err
			}
		}
		return append(firstBytes("first byte, circuit that is open", l.first),
			onionValue{"end of the answer, circuit that is open, p50", "ms", goal{}, goal{}, quantile(l.end, 0.5)}), nil
	})},
	{"download", eachCast(func(ctx context.Context, s *stage) ([]onionValue, error) {
		var speed, cpu float64
		_, err := s.tries(ctx, func() (err error) {
			speed, cpu, err = s.download(ctx, s.contender(), 1)
			return err
		})
		return []onionValue{
			{"download, 1 stream", "MiB/s", goalThroughput, goal{ratioAtLeast, 1.5}, speed},
			{"CPU of both ends, download, 1 stream", "s/GiB", goal{}, goal{}, cpu},
		}, err
	})},
}

// An onionValue is a measurement, and what it is to come to with our ends and with all nodes ours.
type onionValue struct {
	name, unit string
	ends, all  goal
	v          float64
}

// firstBytes are the median and the slow end of a list in milliseconds.
func firstBytes(what string, list []float64) []onionValue {
	return []onionValue{
		{what + ", p50", "ms", goalNoSlower, goal{ratioAtMost, 0.4}, quantile(list, 0.5)},
		{what + ", p95", "ms", goal{}, goal{}, quantile(list, 0.95)},
	}
}

// add takes in what was measured of a cast. The peer is what both of ours are compared with.
func (b *onionBench) add(k cast, values []onionValue) {
	for _, v := range values {
		with := [2]value{
			{quantity{fmt.Sprintf("%s; %v", v.name, ourEnds), v.unit, v.ends}, v.v},
			{quantity{fmt.Sprintf("%s; %v", v.name, oursAll), v.unit, v.all}, v.v},
		}
		switch k {
		case peerAll:
			b.results.add(theirs, with[:])
		case ourEnds:
			b.results.add(ours, with[:1])
		case oursAll:
			b.results.add(ours, with[1:])
		}
	}
}

// castsIn is who comes when: in every round another one is first.
func castsIn(round int) []cast {
	list := make([]cast, numCasts)
	for i := range list {
		list[i] = (cast(round) + cast(i)) % numCasts
	}
	return list
}

func (b *onionBench) run(ctx context.Context) error {
	for round := range b.o.rounds {
		for _, step := range b.o.steps {
			b.say("round %d of %d: %s", round+1, b.o.rounds, step.name)
			limited, cancel := context.WithTimeout(ctx, time.Duration(int(numCasts)+b.o.clients)*(stepTimeout+b.o.window+b.o.idle))
			err := step.run(b, limited, castsIn(round))
			cancel()
			if err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
		}
	}
	return nil
}

// eachCast measures one cast after the other.
func eachCast(measure func(context.Context, *stage) ([]onionValue, error)) func(*onionBench, context.Context, []cast) error {
	return func(b *onionBench, ctx context.Context, casts []cast) error {
		for _, k := range casts {
			if err := pause(ctx, settle); err != nil {
				return err
			}
			values, err := measure(ctx, b.stages[k])
			if err != nil {
				return fmt.Errorf("%v: %w", k, err)
			}
			b.add(k, values)
		}
		return nil
	}
}

// freshClients starts clients that know nothing of any service, waits until they idle, and has each come to all services.
func (b *onionBench) freshClients(ctx context.Context, casts []cast) error {
	var first, other [numCasts]latencies
	var failed [numCasts]int
	for range b.o.clients {
		var clients [numCasts]*contender
		var errs [numCasts]error
		var wg sync.WaitGroup
		for _, k := range casts {
			wg.Go(func() { clients[k], errs[k] = b.stages[k].fresh(ctx) })
		}
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		if err := pause(ctx, b.o.idle); err != nil {
			return err
		}
		for i := range b.o.services {
			for _, k := range casts {
				l := &first[k]
				if i > 0 {
					l = &other[k]
				}
				s, c := b.stages[k], clients[k]
				c.onion = s.services[i]
				n, err := s.come(ctx, c, l)
				if err != nil {
					return fmt.Errorf("%v: %w", k, err)
				}
				failed[k] += n
			}
		}
	}
	for _, k := range casts {
		b.add(k, firstBytes("first byte, fresh client", first[k].first))
		b.add(k, firstBytes("first byte, other unknown services", other[k].first))
		b.add(k, []onionValue{{"requests that failed, unknown services", "", goal{}, goal{}, float64(failed[k])}})
	}
	return nil
}

// maxTries is how often a client tries to come to a service. C tor's learns on loopback that circuits take 60 ms, and on a busy
// machine gives up those that take longer.
const maxTries = 3

// come has a client come to a service, and returns how often that failed.
func (s *stage) come(ctx context.Context, c *contender, l *latencies) (failed int, err error) {
	return s.tries(ctx, func() error { return s.ping(ctx, c, c.newUser(), l) })
}

// tries calls f until it does not fail, or has too often, and returns how often it has.
func (s *stage) tries(ctx context.Context, f func() error) (failed int, err error) {
	for failed = range maxTries {
		if err = f(); err == nil || ctx.Err() != nil {
			return failed, err
		}
		s.say("%v: %v", s.cast, err)
	}
	return maxTries, err
}

func (s onionStep) called() string { return s.name }

// selectOnionSteps returns the first step and those whose name the expression matches. None is an error.
func selectOnionSteps(expr string) ([]onionStep, error) {
	list, err := selectSteps(onionSteps, expr)
	if err == nil && list[0].name != onionSteps[0].name {
		list = append(onionSteps[:1:1], list...)
	}
	return list, err
}

// readLine reads a file of one line.
func readLine(name string) (string, error) {
	b, err := os.ReadFile(name)
	return strings.TrimSpace(string(b)), err
}
