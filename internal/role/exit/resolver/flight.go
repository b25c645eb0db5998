package resolver

import (
	"context"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

// maxWait is how long a look-up waits for its turn.
const maxWait = 10 * time.Second

// A flight is a look-up that is under way, and that all who ask the same share. Its goroutine ends when the servers have
// answered, or when nobody waits any more; the last who leaves waits for that.
type flight struct {
	q      question
	cancel context.CancelFunc
	wg     sync.WaitGroup
	done   chan struct{} // closed once out is set

	waiters int // guarded by Resolver.mu
	out     outcome
}

// A ticket is a claim to the outcome of a look-up. It must be redeemed, once.
type ticket struct {
	r   *Resolver
	f   *flight // nil if out is known
	out outcome
}

// begin finds the answer in the cache, joins who asks already, or asks.
func (r *Resolver) begin(q question) ticket {
	r.mu.Lock()
	defer r.mu.Unlock()
	if out, ok := r.cache.get(q, time.Now()); ok {
		r.counts.cached.Add(1)
		return ticket{out: out}
	}
	f := r.flights[q]
	if f == nil {
		if len(r.flights) >= r.cfg.MaxInflight+r.cfg.MaxQueued {
			r.counts.busy.Add(1)
			return ticket{out: outcome{err: temporary(ErrBusy)}}
		}
		var ctx context.Context
		f = &flight{q: q, done: make(chan struct{})}
		ctx, f.cancel = context.WithCancel(context.Background())
		r.flights[q] = f
		safego.Go(&f.wg, r.log, "resolver look-up", func() { r.fly(ctx, f) })
	}
	f.waiters++
	return ticket{r: r, f: f}
}

// redeem waits for the outcome, or until ctx ends.
func (t ticket) redeem(ctx context.Context) outcome {
	if t.f == nil {
		return t.out
	}
	select {
	case <-t.f.done:
		t.f.wg.Wait()
		return t.f.out
	case <-ctx.Done():
		t.r.leave(t.f)
		return outcome{err: temporary(ctx.Err())}
	}
}

// leave gives up waiting for a flight.
func (r *Resolver) leave(f *flight) {
	r.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last && r.flights[f.q] == f {
		delete(r.flights, f.q)
	}
	r.mu.Unlock()
	if last {
		f.cancel()
		f.wg.Wait()
	}
}

// fly is the goroutine of a flight.
func (r *Resolver) fly(ctx context.Context, f *flight) {
	out := outcome{err: temporary(errPanic)}
	defer func() {
		f.cancel()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.flights[f.q] == f { // else everybody has left
			delete(r.flights, f.q)
			r.cache.put(f.q, out, time.Now())
		}
		f.out = out
		close(f.done)
	}()
	if err := r.acquire(ctx); err != nil {
		out = outcome{err: temporary(err)}
		return
	}
	defer r.release()
	out = r.lookup(ctx, f.q)
}

// acquire waits for one of the MaxInflight slots.
func (r *Resolver) acquire(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-timer.C:
		r.counts.busy.Add(1)
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Resolver) release() { <-r.slots }
