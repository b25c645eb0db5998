package bench

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// A clientStep is a piece of work that one client does, and what is learned from it.
type clientStep struct {
	name string
	run  func(b *clientBench, ctx context.Context, c *contender) ([]value, error)
}

// Goals of the client.
var (
	goalCPU        = goal{ratioAtMost, 0.6}
	goalThroughput = goal{ratioAtLeast, 1}
	goalNoSlower   = goal{ratioAtMost, 1}
)

// clientSteps are what a round consists of.
var clientSteps = []clientStep{
	{"parallel download", func(b *clientBench, ctx context.Context, c *contender) ([]value, error) {
		speed, cpu, err := b.download(ctx, c, b.o.circuits)
		what := fmt.Sprintf("download, %d circuits", b.o.circuits)
		return traffic(what, goal{}, goalCPU, speed, cpu), err
	}},
	{"download", func(b *clientBench, ctx context.Context, c *contender) ([]value, error) {
		speed, cpu, err := b.download(ctx, c, 1)
		return traffic("download, 1 stream", goalThroughput, goal{}, speed, cpu), err
	}},
	{"upload", func(b *clientBench, ctx context.Context, c *contender) ([]value, error) {
		speed, cpu, err := b.upload(ctx, c)
		return traffic("upload, 1 stream", goalThroughput, goal{}, speed, cpu), err
	}},
	{"requests on one circuit", func(b *clientBench, ctx context.Context, c *contender) ([]value, error) {
		l, err := b.warmLatency(ctx, c)
		if err != nil {
			return nil, err
		}
		return append(percentiles("first byte, warm circuit", goalNoSlower, l.first), percentiles("SOCKS connect, warm circuit", goal{}, l.connect)...), nil
	}},
	{"requests on new circuits", func(b *clientBench, ctx context.Context, c *contender) ([]value, error) {
		l, err := b.coldLatency(ctx, c)
		if err != nil {
			return nil, err
		}
		return percentiles("first byte, new isolation", goal{}, l.first), nil
	}},
	{"bootstrap", func(b *clientBench, ctx context.Context, c *contender) ([]value, error) {
		cold, cached, err := b.bootstrap(ctx, c)
		return []value{
			{quantity{"bootstrap, empty directory", "s", goalNoSlower}, cold.took.Seconds()},
			{quantity{"bootstrap, from cache", "s", goalNoSlower}, cached.took.Seconds()},
			{quantity{"CPU of a bootstrap", "s", goal{}}, cold.usage.CPU.Seconds()},
		}, err
	}},
}

// A named thing is chosen by its name.
type named interface{ called() string }

func (s clientStep) called() string { return s.name }

// stepNames lists steps, for the user.
func stepNames[S named](steps []S) string {
	var names []string
	for _, step := range steps {
		names = append(names, step.called())
	}
	return strings.Join(names, ", ")
}

// selectSteps returns the steps whose name the expression matches. None is an error.
func selectSteps[S named](steps []S, expr string) ([]S, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	var list []S
	for _, step := range steps {
		if re.MatchString(step.called()) {
			list = append(list, step)
		}
	}
	if list == nil {
		return nil, fmt.Errorf("--only %s: matches none of: %s", expr, stepNames(steps))
	}
	return list, nil
}

func traffic(what string, speedGoal, cpuGoal goal, speed, cpu float64) []value {
	return []value{{quantity{what, "MiB/s", speedGoal}, speed}, {quantity{"CPU, " + what, "s/GiB", cpuGoal}, cpu}}
}

// percentiles are the median, for which the goal is, and the slow end of a list in milliseconds.
func percentiles(what string, p50 goal, list []float64) []value {
	return []value{{quantity{what + ", p50", "ms", p50}, quantile(list, 0.5)}, {quantity{what + ", p95", "ms", goal{}}, quantile(list, 0.95)}}
}
