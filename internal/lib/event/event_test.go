package event_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/lib/event"
)

// wantNext checks the next value or error of s.
func wantNext(t *testing.T, s *event.Sub, want any, wantErr error) {
	t.Helper()
	got, err := s.Next(t.Context())
	if got != want || !errors.Is(err, wantErr) {
		t.Fatalf("Next = %v, %v; want %v, %v", got, err, want, wantErr)
	}
}

func TestOrderAndLateSubscriber(t *testing.T) {
	var b event.Bus
	b.Publish("nobody hears")
	first := b.Subscribe(4)
	b.Publish(1)
	second := b.Subscribe(4)
	b.Publish(2)
	wantNext(t, first, 1, nil)
	wantNext(t, first, 2, nil)
	wantNext(t, second, 2, nil)
}

func TestRingWraps(t *testing.T) {
	var b event.Bus
	s := b.Subscribe(3)
	for i := range 10 {
		b.Publish(i)
		b.Publish(-i)
		wantNext(t, s, i, nil)
		wantNext(t, s, -i, nil)
	}
}

func TestOverrun(t *testing.T) {
	var b event.Bus
	slow, quick := b.Subscribe(2), b.Subscribe(8)
	for i := range 5 {
		b.Publish(i)
	}
	wantNext(t, slow, 0, nil)
	b.Publish(5) // there is room again, but after the gap it would mislead
	wantNext(t, slow, 1, nil)
	_, err := slow.Next(t.Context())
	if o, ok := errors.AsType[*event.OverrunError](err); !ok || o.Lost != 4 || !errors.Is(err, event.ErrOverrun) {
		t.Fatalf("got %v, want an OverrunError that counts 4", err)
	}
	b.Publish(6)
	wantNext(t, slow, nil, event.ErrClosed)
	for i := range 7 {
		wantNext(t, quick, i, nil)
	}
}

func TestClose(t *testing.T) {
	var b event.Bus
	one, two := b.Subscribe(2), b.Subscribe(2)
	b.Publish(1)
	one.Close()
	one.Close()
	b.Publish(2)
	wantNext(t, one, 1, nil)
	wantNext(t, one, nil, net.ErrClosed)
	b.Close()
	b.Publish(3)
	wantNext(t, two, 1, nil)
	wantNext(t, two, 2, nil)
	wantNext(t, two, nil, event.ErrClosed)
	wantNext(t, b.Subscribe(2), nil, event.ErrClosed)
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b event.Bus
		s := b.Subscribe(0) // means 1
		got := make(chan any)
		go func() {
			v, _ := event.Next[string](t.Context(), s)
			got <- v
		}()
		synctest.Wait()
		b.Publish(1)
		synctest.Wait()
		b.Publish("text")
		if v := <-got; v != "text" {
			t.Errorf("got %v, want the text", v)
		}

		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		errs := make(chan error)
		go func() { _, err := event.Next[int](ctx, s); errs <- err }()
		synctest.Wait()
		cancel(cause)
		if err := <-errs; err != cause {
			t.Errorf("got %v, want the cause", err)
		}
		go func() { _, err := s.Next(t.Context()); errs <- err }()
		synctest.Wait()
		b.Close()
		if err := <-errs; err != event.ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

func TestManyPublishers(t *testing.T) {
	var b event.Bus
	const publishers, each = 4, 500
	s := b.Subscribe(publishers * each)
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				b.Publish([2]int{p, i})
			}
		})
	}
	next := [publishers]int{}
	for range publishers * each {
		v, err := event.Next[[2]int](t.Context(), s)
		if err != nil || v[1] != next[v[0]] {
			t.Fatalf("got %v, %v; want event %d of its publisher", v, err, next[v[0]])
		}
		next[v[0]]++
	}
	wg.Wait()
}

func BenchmarkPublish(b *testing.B) {
	var bus event.Bus
	s := bus.Subscribe(1)
	v := any(&struct{}{})
	b.ReportAllocs()
	for b.Loop() {
		bus.Publish(v)
		if _, err := s.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
