package simnet_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/kit/simnet"
	"github.com/tropea-net/tropea/internal/lib/memnet"
	"github.com/tropea-net/tropea/internal/role/hsservice"
)

// Where votes are seconds apart, time periods are minutes long, as in test networks (TestingTorNetwork), and services are reached
// in all of them.
func TestOnionMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := begin(t, simnet.Config{Authorities: 3, Relays: 5, Exits: 1, Clients: 2, Link: memnet.Link{Latency: 20 * time.Millisecond}})
		ready(t, n, time.Minute)
		o, err := n.Client(0).Listen("onion", hsservice.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); serve(o) }()
		defer func() { o.Close(); <-done }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := o.WaitUp(ctx); err != nil {
			t.Fatal(err)
		}
		length := 9 * time.Minute
		if raceDetector {
			length /= 2
		}
		failed, visits := 0, 0
		for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(7 * time.Second) {
			n.Client(1).Client().NewIdentity()
			visits++
			if err := fetch(t.Context(), n.Client(1), o.Addr().String()); err != nil {
				failed++
				t.Errorf("%v: %v", time.Now().UTC(), err)
			}
		}
		t.Logf("%d visits, %d failed", visits, failed)

		// The service ends with the node, and comes back with its key.
		addr := o.Addr().String()
		n.Client(0).Crash()
		if o.Service() != nil {
			t.Error("a service of a node that does not run")
		}
		if err := n.Client(0).Start(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := o.WaitUp(ctx); err != nil {
			t.Fatal(err)
		}
		if err := fetch(t.Context(), n.Client(1), addr); err != nil {
			t.Error(err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if again, err := n.Client(0).Listen("onion", hsservice.Settings{}); err != nil || again.Addr().String() != addr {
			t.Errorf("another address, or %v", err)
		}
		if err := o.Close(); err != nil { // it is closed
			t.Error(err)
		}
	})
}
