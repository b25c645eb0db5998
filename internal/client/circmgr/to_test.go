package circmgr

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/netstate/guard"
)

// A circuit to a certain relay has three hops, and is for nobody else.
func TestTo(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		end := b.dir.View().ByRSA(ids[firstExit].RSA())
		c, err := b.m.To(b.Context(), hop(end))
		if err != nil {
			t.Fatal(err)
		}
		if n := b.relay.Circuit().Hops(); n != 3 {
			t.Errorf("a circuit of %d hops", n)
		}
		b.exit("alice", 80)
		if n := b.created(); n != 2 {
			t.Errorf("%d circuits, want 2", n)
		}
		b.stop() // the caller's circuit outlives the manager
		if err := c.Err(); err != nil {
			t.Error(err)
		}
		c.Close()
		if _, err := b.m.To(b.Context(), hop(end)); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestToFails(t *testing.T) {
	run(t, setup{none: true}, func(b *bed) {
		if _, err := b.m.To(b.Context(), hop(newView().ByRSA(ids[firstExit].RSA()))); !errors.Is(err, ErrNoDirectory) {
			t.Errorf("without a directory: %v", err)
		}
	})
	run(t, setup{peer: fakepeer.Config{Hooks: fakepeer.Hooks{Message: never}}}, func(b *bed) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if _, err := b.m.To(ctx, hop(b.dir.View().ByRSA(ids[firstExit].RSA()))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a relay that does not extend: %v", err)
		}
		if failed, _ := b.guards.counts(); failed != 0 {
			t.Error("the guard is blamed")
		}
	})
}

// The microdescriptor of the guard may come a moment after the consensus. A circuit waits for it.
func TestToWaitsForGuard(t *testing.T) {
	run(t, setup{}, func(b *bed) {
		end := hop(b.dir.View().ByRSA(ids[firstExit].RSA()))
		missing := &guard.Error{Reason: guard.Undescribed}
		b.guards.fail(missing)
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		_, err := b.m.To(ctx, end)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, missing) {
			t.Errorf("the microdescriptor never comes: %v", err)
		}
		time.AfterFunc(3*time.Second, func() {
			b.guards.fail(nil)
			b.dir.set(newView())
		})
		begun := time.Now()
		c, err := b.m.To(b.Context(), end)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if took := time.Since(begun); took < 3*time.Second || took > 5*time.Second {
			t.Errorf("a circuit after %v", took)
		}
		b.guards.fail(&guard.Error{Reason: guard.AllDown})
		if _, err := b.m.To(b.Context(), end); err == nil {
			t.Error("a circuit without a guard")
		}
	})
}
