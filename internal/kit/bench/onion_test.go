package bench

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/kit/testnet"
)

func TestSelectOnionSteps(t *testing.T) {
	for expr, want := range map[string][]string{
		"":           {"fresh clients", "new circuits", "open circuit", "download"},
		"download":   {"fresh clients", "download"},
		"^fresh":     {"fresh clients"},
		"circuits?$": {"fresh clients", "new circuits", "open circuit"},
	} {
		list, err := selectOnionSteps(expr)
		var got []string
		for _, step := range list {
			got = append(got, step.name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", expr, got, err, want)
		}
	}
}

func TestCastsIn(t *testing.T) {
	for round, want := range [][]cast{{peerAll, ourEnds, oursAll}, {ourEnds, oursAll, peerAll}, {oursAll, peerAll, ourEnds}, {peerAll, ourEnds, oursAll}} {
		if got := castsIn(round); !slices.Equal(got, want) {
			t.Errorf("round %d: %v, want %v", round, got, want)
		}
	}
}

// The peer is compared with both of our casts, each of which has a goal of its own.
func TestOnionAdd(t *testing.T) {
	b := new(onionBench)
	for _, k := range castsIn(1) {
		b.add(k, []onionValue{{"speed", "MiB/s", goal{ratioAtLeast, 1}, goal{ratioAtLeast, 2}, float64(3 * (k + 1))}})
	}
	for name, want := range map[string]float64{"speed; our ends": 2, "speed; all nodes ours": 3} {
		i := slices.IndexFunc(b.results.order, func(q quantity) bool { return q.name == name })
		if i < 0 {
			t.Fatalf("no %q in %v", name, b.results.order)
		}
		q := b.results.order[i]
		if got := ratios(b.results.values[q]); !slices.Equal(got, []float64{want}) || q.goal.bound != want-1 {
			t.Errorf("%s: ratios %v, goal %v; want %v and %v", name, got, q.goal, want, want-1)
		}
	}
}

// small is a network as small as circuits to onion services allow.
func small(cfg *testnet.Config) { cfg.Authorities, cfg.Relays, cfg.Exits = 1, 5, 1 }

// TestOnion does all steps once.
func TestOnion(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("two networks take half a minute")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results")
	args := []string{
		"--rounds", "1", "--seconds", "1", "--clients", "1", "--services", "2", "--idle", "1s", "--voting", "10s", "--ours", build(t), "--json", file,
	}
	var stdout, stderr bytes.Buffer
	o, err := parseOnion(args, &stderr)
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	small(&o.nodes)
	if err := o.run(t.Context(), &stdout, &stderr); err != nil {
		t.Fatalf("%v, output:\n%s%s", err, &stdout, &stderr)
	}
	t.Logf("\n%s", &stdout)
	check(t, file, "first byte, fresh client, p50; our ends", "first byte, other unknown services, p95; all nodes ours",
		"first byte, known service, new circuit, p50; all nodes ours", "end of the answer, circuit that is open, p50; our ends",
		"download, 1 stream; our ends", "CPU of both ends, download, 1 stream; all nodes ours")
}

// TestFlood has a flood come to both services, before they ask for proofs of work: that takes five minutes.
func TestFlood(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	t.Parallel()
	var stderr bytes.Buffer
	o, err := parseFlood([]string{"--rounds", "1", "--flood", "2", "--voting", "10s", "--ours", build(t)}, &stderr)
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	small(&o.nodes)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	f, programs, err := o.start(ctx, &stderr)
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}()
	for s, p := range programs {
		if err := f.serve(ctx, side(s), p); err != nil {
			t.Fatalf("%v: %v", side(s), err)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	pouring, stop := context.WithCancel(ctx)
	defer stop()
	for s := range f.targets {
		wg.Go(func() { f.pour(pouring, &f.targets[s], &wg) })
	}
	for s := range f.targets {
		for f.targets[s].met.Load() == 0 {
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				t.Fatalf("%v: none of the flood was answered", side(s))
			}
		}
		if _, err := f.pay(ctx, side(s)); !errors.Is(err, errUnpaid) {
			t.Errorf("%v: %v, want %v", side(s), err, errUnpaid)
		}
	}
	if warnings, err := f.net.ProtocolWarnings(); err != nil || slices.ContainsFunc(warnings, func(line string) bool { return strings.Contains(line, "INTRODUCE") }) {
		t.Errorf("warnings %q, %v", warnings, err)
	}
}
