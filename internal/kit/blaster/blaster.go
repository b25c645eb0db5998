package blaster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Relay is a relay under test.
type Relay struct {
	Addr netip.AddrPort
	RSA  [20]byte
	NTor [32]byte
	// Usage returns what it has used so far: processor time, and resident memory in bytes.
	Usage func() (cpu time.Duration, rss int64, err error)
}

// Config says how to load it.
type Config struct {
	Links    int   // from the source; as many sinks there are
	Circuits int   // on each link
	Bytes    int64 // on all links together
	Run      int   // cells of one circuit in a row; 8 if zero
}

// Result is what came of it.
type Result struct {
	Cells    int64
	Bytes    int64         // with TLS, as they arrived at the sinks
	Took     time.Duration // of the load
	CPU      time.Duration // of the relay, for the load
	Circuits int
	BuildCPU time.Duration // of the relay, for the circuits
	Build    time.Duration
	RSS      [3]int64 // at first, with idle circuits, and after the load
}

// wireCell is a cell on the wire, with its share of a TLS record of 31 cells.
const wireCell = 514 + float64(5+16+1)/31

// inFlight is how many cells of a circuit may be under way on average: relays end circuits of which more than 2500 wait, and all
// that is under way may wait for one sink, on four circuits of one source.
const inFlight = 150

// A source is a client with links to the relay.
type source struct {
	link  *link.Link
	conn  *conn
	circs []*circuit.Circuit
}

// Run loads a relay.
func Run(ctx context.Context, r Relay, cfg Config) (res Result, err error) {
	if cfg.Run == 0 {
		cfg.Run = 8
	}
	b := &blast{relay: r, cfg: cfg, log: slog.New(slog.DiscardHandler)}
	defer b.close()
	usage := func(rss int) time.Duration {
		cpu, mem, uerr := r.Usage()
		err = errors.Join(err, uerr)
		res.RSS[rss] = mem
		return cpu
	}
	for range cfg.Links {
		n, err := newNode(b.log, true)
		if err != nil {
			return res, err
		}
		b.sinks = append(b.sinks, n)
	}
	before, begin := usage(0), time.Now()
	if err := b.build(ctx); err != nil {
		return res, err
	}
	res.Build, res.Circuits = time.Since(begin), cfg.Links*cfg.Circuits
	res.BuildCPU = usage(1) - before
	if err := b.prepare(ctx); err != nil {
		return res, err
	}
	before, begin = usage(1), time.Now()
	if res.Bytes, err = b.send(ctx); err != nil {
		return res, err
	}
	res.Took, res.CPU = time.Since(begin), usage(2)-before
	res.Cells = int64(float64(res.Bytes) / wireCell)
	return res, err
}

// A blast is a load under way.
type blast struct {
	relay    Relay
	cfg      Config
	log      *slog.Logger
	sinks    []*Node
	sources  []*source
	registry []*link.Registry // one for each source: one would share a link
}

func (b *blast) close() {
	for _, s := range b.sources {
		s.conn.TCPConn.Close()
	}
	for _, r := range b.registry {
		r.Close()
	}
	for _, n := range b.sinks {
		n.Close()
	}
}

// build makes the links, and the circuits over the relay to the sinks.
func (b *blast) build(ctx context.Context) error {
	for range b.cfg.Links {
		d := dialer{conns: make(chan *conn, 1)}
		reg := link.NewRegistry(link.Config{
			Env:        env.Env{Net: d, Now: time.Now, Log: b.log},
			NewHandler: func(l *link.Link) link.Handler { return circuit.NewTable(l, b.log) },
		})
		b.registry = append(b.registry, reg)
		l, err := reg.Get(ctx, link.Target{Addrs: []netip.AddrPort{b.relay.Addr}, RSA: b.relay.RSA, HasRSA: true})
		if err != nil {
			return fmt.Errorf("link to the relay: %w", err)
		}
		b.sources = append(b.sources, &source{link: l, conn: <-d.conns})
	}
	errs := make([]error, len(b.sources))
	var wg sync.WaitGroup
	for i, s := range b.sources {
		wg.Go(func() { errs[i] = b.buildOn(ctx, s) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (b *blast) buildOn(ctx context.Context, s *source) error {
	first := circuit.Hop{RSA: b.relay.RSA, NTor: b.relay.NTor, Addrs: []netip.AddrPort{b.relay.Addr}}
	for i := range b.cfg.Circuits {
		c, err := circuit.Create(ctx, s.link, first, circuit.Options{})
		if err != nil {
			return fmt.Errorf("circuit %d: %w", i, err)
		}
		sink := b.sinks[i%len(b.sinks)]
		if err := c.Extend(ctx, circuit.Hop{RSA: sink.RSA, NTor: sink.NTor, Addrs: []netip.AddrPort{sink.Addr}}); err != nil {
			return fmt.Errorf("circuit %d: %w", i, err)
		}
		s.circs = append(s.circs, c)
	}
	return nil
}

// prepare has TLS encrypt all that will be sent.
func (b *blast) prepare(ctx context.Context) error {
	share := b.cfg.Bytes / int64(len(b.sources))
	errs := make([]error, len(b.sources))
	var wg sync.WaitGroup
	for i, s := range b.sources {
		wg.Go(func() { errs[i] = s.prepare(ctx, share, b.cfg.Run) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *source) prepare(ctx context.Context, bytes int64, run int) error {
	var body [cell.BodyLen]byte // what is in it does not matter to the relay
	rand.Read(body[:])
	s.conn.keepWrites(bytes + bytes/50 + 1<<20)
	cells, out := int64(float64(bytes)/wireCell), s.link.Out()
	for n := int64(0); n < cells; {
		chunk := out.NewChunk()
		for ; !chunk.Full() && n < cells; n++ {
			c := s.circs[int(n)/run%len(s.circs)]
			*chunk.Next(c.ID(), cell.CmdRelay) = body
		}
		out.Append(chunk)
		for out.Len() > 10_000 {
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	}
	want := int64(float64(cells) * 514)
	for s.conn.keptLen() < want {
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return s.link.Err()
}

// send writes what is kept, as fast as the sinks receive, and returns how much they did.
func (b *blast) send(ctx context.Context) (int64, error) {
	var start int64
	for _, n := range b.sinks {
		n.discard()
		start += n.received.Load()
	}
	received := func() (sum int64) {
		for _, n := range b.sinks {
			sum += n.received.Load()
		}
		return sum - start
	}
	var sent atomic.Int64
	window := int64(inFlight * 514 * b.cfg.Circuits * len(b.sources))
	errs := make([]error, len(b.sources))
	var wg sync.WaitGroup
	var total int64
	for i, s := range b.sources {
		total += s.conn.keptLen()
		wg.Go(func() { errs[i] = s.send(ctx, &sent, received, window) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	// The relay's records are not cut as ours are, so that the numbers of bytes differ a little.
	for last, since := int64(-1), time.Now(); received() < total*98/100; {
		if n := received(); n != last {
			last, since = n, time.Now()
		} else if time.Since(since) > 5*time.Second {
			return 0, fmt.Errorf("the relay has passed on %d of %d bytes, and no more", n, total)
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
	return received(), nil
}

func (s *source) send(ctx context.Context, sent *atomic.Int64, received func() int64, window int64) error {
	for rest := s.conn.kept; len(rest) > 0; {
		for sent.Load()-received() > window {
			if err := pause(ctx, 200*time.Microsecond); err != nil {
				return err
			}
		}
		piece := rest[:min(len(rest), 64<<10)]
		n, err := s.conn.TCPConn.Write(piece)
		sent.Add(int64(n))
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
