package bench

import (
	"context"
	"io"
	"time"
)

const (
	warmPings = 50 // requests on one circuit, one after the other
	coldPings = 10 // requests that each need a circuit, one after the other
)

// latencies are what requests took, in milliseconds.
type latencies struct {
	connect []float64 // until the SOCKS reply
	first   []float64 // until the first byte of the answer
	end     []float64 // until its end
}

// ping sends a small request on a new stream, reads the whole answer, and adds what that took.
func (b *clientBench) ping(ctx context.Context, c *contender, user string, l *latencies) error {
	begin := time.Now()
	conn, err := c.dial(ctx, user, b.server)
	if err != nil {
		return err
	}
	defer conn.Close()
	connected := time.Since(begin)
	var answer [1]byte
	if _, err := conn.Write([]byte{modePing}); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	first := time.Since(begin)
	// A stream that is closed before its end would send a message of its own, right before those of the next request.
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return err
	}
	l.connect = append(l.connect, milliseconds(connected))
	l.first = append(l.first, milliseconds(first))
	l.end = append(l.end, milliseconds(time.Since(begin)))
	return nil
}

// warmLatency measures requests on a circuit that is in use.
func (b *clientBench) warmLatency(ctx context.Context, c *contender) (*latencies, error) {
	l := new(latencies)
	return l, b.warmPings(ctx, c, warmPings, l)
}

// warmPings sends requests on a new circuit that is in use by then.
func (b *clientBench) warmPings(ctx context.Context, c *contender, pings int, l *latencies) error {
	user := c.newUser()
	if err := b.ping(ctx, c, user, new(latencies)); err != nil {
		return err
	}
	for range pings {
		if err := b.ping(ctx, c, user, l); err != nil {
			return err
		}
	}
	return nil
}

// coldLatency measures requests that may not share a circuit with any other.
func (b *clientBench) coldLatency(ctx context.Context, c *contender) (*latencies, error) {
	l := new(latencies)
	for range coldPings {
		if err := b.ping(ctx, c, c.newUser(), l); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

func inMilliseconds(list []time.Duration) []float64 {
	var ms []float64
	for _, d := range list {
		ms = append(ms, milliseconds(d))
	}
	return ms
}
