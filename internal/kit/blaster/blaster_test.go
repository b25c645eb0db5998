package blaster

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRun loads a relay of ours in this process: all that is sent arrives.
func TestRun(t *testing.T) {
	n, err := NewNode(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const bytes = 8 << 20
	res, err := Run(ctx, Relay{
		Addr: n.Addr, RSA: n.RSA, NTor: n.NTor, Usage: func() (time.Duration, int64, error) { return 0, 1, nil },
	}, Config{Links: 2, Circuits: 3, Bytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	if res.Circuits != 6 || res.Bytes < bytes*95/100 || res.Bytes > bytes*105/100 || res.Took <= 0 {
		t.Errorf("%+v", res)
	}
	if cells := bytes / wireCell; float64(res.Cells) < cells*0.95 || float64(res.Cells) > cells*1.05 {
		t.Errorf("%d cells, want about %.0f", res.Cells, cells)
	}
}

// A relay that is not there, or is another, is an error and not a wait.
func TestRunFails(t *testing.T) {
	n, err := NewNode(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	other := Relay{Addr: n.Addr, RSA: [20]byte{1}, NTor: n.NTor, Usage: func() (time.Duration, int64, error) { return 0, 1, nil }}
	if _, err := Run(t.Context(), other, Config{Links: 1, Circuits: 1, Bytes: 1 << 20}); err == nil || !strings.Contains(err.Error(), "identity") {
		t.Errorf("error %v", err)
	}
	other.RSA, other.NTor = n.RSA, [32]byte{9}
	if _, err := Run(t.Context(), other, Config{Links: 1, Circuits: 1, Bytes: 1 << 20}); err == nil || !strings.Contains(err.Error(), "circuit 0") {
		t.Errorf("error %v", err)
	}
}

func TestRoundTrips(t *testing.T) {
	n, err := NewNode(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	through, direct, err := RoundTrips(ctx, Relay{Addr: n.Addr, RSA: n.RSA, NTor: n.NTor}, 10)
	if err != nil || len(through) != 10 || len(direct) != 10 {
		t.Fatalf("%v, %v, %v", through, direct, err)
	}
	if slices.Min(through) <= slices.Min(direct) {
		t.Errorf("round trips through a relay %v, without it %v", through, direct)
	}
}
