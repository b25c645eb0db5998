package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	warmUp = time.Second // for windows to open before a measurement begins
	settle = 500 * time.Millisecond

	// maxUnderWay bounds an upload. C tor takes in whatever it is sent, far beyond what it can pass on.
	maxUnderWay = 16 << 20
	// drainTimeout bounds the wait until the server has all of an upload.
	drainTimeout = 30 * time.Second
)

// download moves bytes to the client on streams with circuits of their own, and measures while all of them run.
func (b *clientBench) download(ctx context.Context, c *contender, streams int) (speed, cpu float64, err error) {
	return b.downloadBeside(ctx, c, streams, func(context.Context) error { return nil })
}

// downloadBeside is download, and calls beside while all of them run still, after the measurement.
func (b *clientBench) downloadBeside(ctx context.Context, c *contender, streams int, beside func(context.Context) error) (speed, cpu float64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var moved atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	for range streams {
		conn, err := b.open(ctx, c, c.newUser(), modeDownload)
		if err != nil {
			return 0, 0, err
		}
		defer conn.Close()
		wg.Go(func() {
			buf := make([]byte, blockLen)
			for {
				n, err := conn.Read(buf)
				moved.Add(int64(n))
				if err != nil {
					cancel(fmt.Errorf("download ended early: %w", err)) // no effect when the end is ours
					return
				}
			}
		})
	}
	speed, cpu, err = b.window(ctx, c, &moved)
	if err == nil {
		err = beside(ctx)
	}
	cancel(nil)
	return speed, cpu, err
}

// upload moves bytes from the client on one stream. It counts what has reached the server.
func (b *clientBench) upload(ctx context.Context, c *contender) (speed, cpu float64, err error) {
	conn, err := b.open(ctx, c, c.newUser(), modeUpload)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	sending, stop := context.WithCancel(ctx)
	defer stop()
	begin := b.server.taken.Load()
	sent := make(chan sentBytes, 1)
	go func() {
		n, err := b.send(sending, conn, begin)
		sent <- sentBytes{n, err}
	}()
	speed, cpu, err = b.window(ctx, c, &b.server.taken)
	stop()
	s := <-sent
	if err := errors.Join(err, s.err); err != nil {
		return 0, 0, err
	}
	// What is still under way would disturb the next measurement.
	drain, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := b.awaitTaken(drain, begin+s.n); err != nil {
		return 0, 0, fmt.Errorf("the end of an upload did not arrive: %w", err)
	}
	return speed, cpu, nil
}

type sentBytes struct {
	n   int64
	err error
}

// send writes until ctx ends, and returns how much. begin is what the server had taken before.
func (b *clientBench) send(ctx context.Context, conn net.Conn, begin int64) (sent int64, err error) {
	buf := make([]byte, blockLen)
	for ctx.Err() == nil {
		if b.awaitTaken(ctx, begin+sent-maxUnderWay) != nil {
			break
		}
		n, err := conn.Write(buf)
		sent += int64(n)
		if err != nil {
			return sent, fmt.Errorf("upload: %w", err)
		}
	}
	return sent, nil
}

// awaitTaken returns when the server has taken so many bytes.
func (b *clientBench) awaitTaken(ctx context.Context, want int64) error {
	for b.server.taken.Load() < want {
		select {
		case <-b.server.progress:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// open opens a stream and says what it is for.
func (b *clientBench) open(ctx context.Context, c *contender, user string, mode byte) (net.Conn, error) {
	conn, err := c.dial(ctx, user, b.server)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{mode}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// window measures for the time that the user wants: MiB a second that moved, and CPU seconds of the client for a GiB.
func (b *clientBench) window(ctx context.Context, c *contender, moved *atomic.Int64) (speed, cpu float64, err error) {
	if err := pause(ctx, warmUp); err != nil {
		return 0, 0, err
	}
	before, err := c.usage()
	if err != nil {
		return 0, 0, err
	}
	begin, first := time.Now(), moved.Load()
	if err := pause(ctx, b.o.window); err != nil {
		return 0, 0, err
	}
	bytes, took := float64(moved.Load()-first), time.Since(begin)
	after, err := c.usage()
	if err != nil {
		return 0, 0, err
	}
	if bytes == 0 {
		return 0, 0, fmt.Errorf("no byte came through in %v", took)
	}
	return bytes / took.Seconds() / (1 << 20), (after.CPU - before.CPU).Seconds() * (1 << 30) / bytes, nil
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
