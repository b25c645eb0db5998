// Package event carries facts upward: a lower package publishes what happened as a value, and whoever cares, such as
// the control port or the metrics, subscribes. The publisher knows none of them.
package event

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// ErrClosed is returned by Next once the subscription or its bus was closed and nothing is left to read.
var ErrClosed = fmt.Errorf("event subscription: %w", net.ErrClosed)

// ErrOverrun tells a subscriber that it was too slow and was cut off after the last event that it got. It comes as an
// [OverrunError].
var ErrOverrun = errors.New("event subscriber too slow")

// OverrunError is [ErrOverrun] with the number of events that the subscriber missed until it noticed.
type OverrunError struct{ Lost uint64 }

func (e *OverrunError) Error() string { return fmt.Sprintf("%v, lost %d events", ErrOverrun, e.Lost) }
func (e *OverrunError) Unwrap() error { return ErrOverrun }

// A Bus hands every published value to every subscriber. The zero Bus is ready for use; its methods are safe for
// concurrent use.
type Bus struct {
	mu     sync.Mutex // a leaf: nothing is called or waited for under it. Guards the fields below and those of each Sub
	subs   map[*Sub]struct{}
	closed bool
}

// Publish appends v to the ring of every subscriber. It neither blocks nor calls back, so it is allowed under any lock.
// Subscribers share v: it must not change afterwards.
func (b *Bus) Publish(v any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		s.putLocked(v)
	}
}

// Close ends all subscriptions, now and later. What was published before can still be read.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for s := range b.subs {
		s.closeLocked()
	}
}

// Subscribe returns a subscription to all values that are published from now on. At most capacity values, at least
// one, wait to be read; one more, and the subscriber is overrun.
func (b *Bus) Subscribe(capacity int) *Sub {
	s := &Sub{bus: b, ring: make([]any, max(capacity, 1)), wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		s.closed = true
		return s
	}
	if b.subs == nil {
		b.subs = make(map[*Sub]struct{})
	}
	b.subs[s] = struct{}{}
	return s
}

// A Sub is a subscription. One goroutine at a time may call Next.
type Sub struct {
	bus  *Bus
	wake chan struct{} // holds a token when Next may find something new

	// Guarded by bus.mu.
	ring   []any
	head   int // index of the oldest value
	n      int // values in the ring
	lost   uint64
	closed bool
}

// Next returns the oldest value that was not yet read, and waits for one until ctx ends. Its error is the cause of
// ctx's end, [ErrClosed], or once, after the values before the gap, an [*OverrunError].
func (s *Sub) Next(ctx context.Context) (any, error) {
	for {
		v, ok, err := s.take()
		if ok || err != nil {
			return v, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Next returns the next value of s that is a T; it skips all others.
func Next[T any](ctx context.Context, s *Sub) (T, error) {
	for {
		v, err := s.Next(ctx)
		if t, ok := v.(T); ok || err != nil {
			return t, err
		}
	}
}

// Close ends the subscription. What waits in its ring can still be read.
func (s *Sub) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.closeLocked()
}

func (s *Sub) take() (v any, ok bool, err error) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	switch {
	case s.n > 0:
		v, s.ring[s.head] = s.ring[s.head], nil
		s.head = (s.head + 1) % len(s.ring)
		s.n--
		return v, true, nil
	case s.lost > 0:
		err = &OverrunError{s.lost}
		s.lost = 0
		s.closeLocked()
		return nil, false, err
	case s.closed:
		return nil, false, ErrClosed
	}
	return nil, false, nil
}

func (s *Sub) putLocked(v any) {
	if s.lost > 0 || s.n == len(s.ring) {
		s.lost++ // only counted from here on, until the subscriber learns of it
		return
	}
	s.ring[(s.head+s.n)%len(s.ring)] = v
	s.n++
	s.wakeLocked()
}

func (s *Sub) closeLocked() {
	s.closed = true
	delete(s.bus.subs, s)
	s.wakeLocked()
}

func (s *Sub) wakeLocked() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
