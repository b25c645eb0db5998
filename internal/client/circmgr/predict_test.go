package circmgr

import (
	"slices"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/netstate/pathsel"
)

func TestPredictor(t *testing.T) {
	var p predictor
	now := time.Unix(1_000_000, 0)
	if got := p.likely(now); !slices.Equal(got, []uint16{80, 443}) {
		t.Errorf("at first: %v", got)
	}
	p.used(6667, now.Add(30*time.Minute))
	p.used(0, now.Add(30*time.Minute)) // a look-up
	p.used(443, now.Add(50*time.Minute))
	for _, tt := range []struct {
		after time.Duration
		want  []uint16
	}{
		{59 * time.Minute, []uint16{80, 443, 6667}},
		{61 * time.Minute, []uint16{443, 6667}},
		{95 * time.Minute, []uint16{443}},
		{3 * time.Hour, nil},
	} {
		if got := p.likely(now.Add(tt.after)); !slices.Equal(got, tt.want) {
			t.Errorf("after %v: %v, want %v", tt.after, got, tt.want)
		}
	}
}

// Circuits are there before they are asked for, and those that nobody asks for go.
func TestPrediction(t *testing.T) {
	run(t, setup{config: func(c *Config) { c.NoPrediction = false }}, func(b *bed) {
		b.wait(time.Second)
		if n := b.created(); n < cleanPerPort || n > maxClean {
			t.Fatalf("%d circuits ahead of need", n)
		}
		began := time.Now()
		b.exit("alice", 443)
		if time.Since(began) != 0 {
			t.Errorf("the first stream waited %v", time.Since(began))
		}
		b.wait(20 * time.Minute)
		if n := b.created(); n > 3*maxClean {
			t.Errorf("%d circuits after twenty minutes", n)
		}
		b.wait(4 * time.Hour)
		before := b.created()
		b.wait(4 * time.Hour)
		if n := b.created() - before; n != 0 {
			t.Errorf("%d new circuits for nobody", n)
		}
		b.m.do(func(time.Time) {
			if len(b.m.pool) != 0 {
				t.Errorf("%d circuits are open for nobody", len(b.m.pool))
			}
		})
		b.exit("alice", 22)
		b.wait(time.Second)
		clean := 0
		b.m.do(func(now time.Time) {
			for e := range b.m.pool {
				if e.dirty.IsZero() && b.m.suits(e, Need{Need: pathsel.Need{Port: 22}}, now) {
					clean++
				}
			}
		})
		b.wait(0)
		if clean != cleanPerPort {
			t.Errorf("%d clean circuits for the port that was used last", clean)
		}
	})
}

// A port that no exit allows does not keep circuits for others from being built ahead.
func TestPredictionOfHopelessPort(t *testing.T) {
	run(t, setup{config: func(c *Config) { c.NoPrediction = false }}, func(b *bed) {
		if _, err := b.try("alice", 25, time.Second); err == nil {
			t.Fatal("port 25")
		}
		b.wait(10 * time.Minute)
		if n := b.created(); n < cleanPerPort || n > maxClean {
			t.Errorf("%d circuits", n)
		}
		began := time.Now()
		b.exit("alice", 80)
		if time.Since(began) != 0 {
			t.Error("nothing was built ahead")
		}
	})
}
