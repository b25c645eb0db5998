package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Peer is what a link knows of its other end, all of it proven in the handshake but for the address.
type Peer struct {
	Relay bool     // false for a client, which has none of the identities
	RSA   [20]byte // digest of the RSA identity key
	Ed    [32]byte // Ed25519 identity
	HasEd bool     // false for relays of before Ed25519 identities
	Addr  netip.AddrPort
}

// Handler takes what a link reads. circuit.Table implements it.
type Handler interface {
	// Batch borrows b for the call. The link's reader calls it.
	Batch(b *Batch)
	// Closed tells why the link ended. It is called once, after the last Batch.
	Closed(err error)
}

// Usage says what a link has carried so far; padding depends on it.
type Usage uint32

// What a link is used for. A link only ever gains in usage.
const (
	UsageNone     Usage = iota // directory requests at most
	UsageCircuits              // a circuit of several hops began here
	UsageStreams               // a user's stream went over it
)

// A Link is an open connection to a relay. Its methods are safe for concurrent use.
//
//	dialing → TLS → versions → certs → auth challenge → netinfo → open → closing → closed
//
// All states before open are a [handshake]; a Link that anybody can see is open or later.
type Link struct {
	id       uint64
	registry *Registry
	peer     Peer
	relay    bool // this node is a relay
	ours     bool // we have connected
	canon    bool // the peer's address is one that it calls its own
	proto    uint16
	framing  cell.Framing
	conn     SecureConn
	meter    *meter // below conn
	log      *slog.Logger
	out      *OutQueue
	handler  Handler
	opened   time.Time
	skew     time.Duration
	mine     netip.Addr
	early    []byte // what the handshake read past NETINFO; the reader takes it

	padding  atomic.Pointer[PaddingPolicy]
	wish     atomic.Pointer[paddingWish] // nil until a client has asked for other padding
	heard    atomic.Int64                // when the last circuit's cell came in, after opened
	usage    atomic.Uint32
	circuits atomic.Int32
	unused   atomic.Int64 // since when there are no circuits, after opened

	closeOnce sync.Once
	closing   chan struct{} // closed when the link is to end
	done      chan struct{} // closed when reader and writer have ended
	err       error         // why the link ended; anyone may read it once closing is closed
}

var lastID atomic.Uint64

// ErrIdle closes a link that nothing used for some minutes.
var ErrIdle = errors.New("link was idle")

// ID returns a number that is unique in this process, for logs.
func (l *Link) ID() uint64 { return l.id }

// Peer returns the relay at the other end.
func (l *Link) Peer() Peer { return l.peer }

// Initiated tells whether this node has made the connection; else it has accepted it.
func (l *Link) Initiated() bool { return l.ours }

// Proto returns the version of the link protocol.
func (l *Link) Proto() uint16 { return l.proto }

// Out returns the queue of cells for the peer.
func (l *Link) Out() *OutQueue { return l.out }

// Bytes returns what has gone over the link so far.
func (l *Link) Bytes() Traffic { return l.meter.bytes.get() }

// Used notes that the link carries something of this node's own: limits for what is relayed are not for it.
func (l *Link) Used() { l.meter.used() }

// Destroy tells the peer that a circuit is over. Nothing of the circuit is to be queued after that.
func (l *Link) Destroy(id cell.CircID, reason cell.DestroyReason) {
	if err := l.out.destroy(id, reason); err != nil {
		l.Close(err)
	}
}

// StreamMemory returns the counter for what lies in the buffers of streams; it may be nil.
func (l *Link) StreamMemory() *memacct.Counter { return l.out.shared.stream }

// Handler returns what NewHandler made for this link.
func (l *Link) Handler() Handler { return l.handler }

// Opened returns when the handshake ended.
func (l *Link) Opened() time.Time { return l.opened }

// ClockSkew returns how far our clock is ahead of the peer's, by its NETINFO; zero if the peer did not say.
func (l *Link) ClockSkew() time.Duration { return l.skew }

// SeenFrom returns our own address as the peer sees it, unverified.
func (l *Link) SeenFrom() netip.Addr { return l.mine }

// AddUsage notes what the link is used for from now on.
func (l *Link) AddUsage(u Usage) {
	for {
		old := l.usage.Load()
		if uint32(u) <= old {
			return
		}
		if l.usage.CompareAndSwap(old, uint32(u)) {
			l.out.Signal() // the writer reconsiders padding
			return
		}
	}
}

// Circuits returns how many circuits go over the link.
func (l *Link) Circuits() int { return int(l.circuits.Load()) }

// AddCircuits counts circuits in or out; a link without any is closed after some minutes.
func (l *Link) AddCircuits(delta int) {
	if l.circuits.Add(int32(delta)) == 0 {
		l.unused.Store(int64(time.Since(l.opened)))
		l.out.Signal()
	}
}

// Close ends the link; err says why. It does not wait.
func (l *Link) Close(err error) {
	l.closeOnce.Do(func() {
		l.err = err
		close(l.closing)
		l.meter.stop()
		// The reader may be blocked in Read, the writer in Write; this ends both. A plain Close of the tls.Conn could wait for
		// a writer that never gets through.
		l.conn.SetDeadline(time.Unix(1, 0))
	})
}

// Closing is closed when the link starts to end.
func (l *Link) Closing() <-chan struct{} { return l.closing }

// Err returns why the link ended, or nil while it is open.
func (l *Link) Err() error {
	select {
	case <-l.closing:
		return l.err
	default:
		return nil
	}
}

// run serves the link until it ends. It returns after reader, writer and handler are done.
func (l *Link) run(ctx context.Context) {
	defer close(l.done)
	stop := context.AfterFunc(ctx, func() { l.Close(context.Cause(ctx)) })
	defer stop()

	var wg sync.WaitGroup
	safego.Go(&wg, l.log, "link writer", func() { l.end("write", l.write()) })
	safego.Run(l.log, "link reader", func() { l.end("read", l.read()) })
	l.Close(errPanic) // no effect but after a panic of the reader
	wg.Wait()
	l.conn.Close()
	l.out.close()
	safego.Run(l.log, "link handler", func() { l.handler.Closed(l.err) })
	l.log.Debug("link closed", "err", l.err)
}

var (
	errPanic        = errors.New("a panic was contained in this link")
	errClosedByPeer = errors.New("relay closed the connection")
)

// end closes the link with the reason why one of its goroutines ended.
func (l *Link) end(op string, err error) {
	var proto *ProtocolError
	switch {
	case errors.As(err, &proto), errors.Is(err, ErrIdle):
		l.Close(err)
	default:
		l.Close(fmt.Errorf("link %s: %w", op, err))
	}
}

// A ProtocolError says what the peer did that it must not.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "peer broke the link protocol: " + e.Err.Error() }
func (e *ProtocolError) Unwrap() error { return e.Err }

func violation(format string, args ...any) error {
	return &ProtocolError{fmt.Errorf(format, args...)}
}
