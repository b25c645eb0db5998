package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/crypt/x25519"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Keys are what circuits are made with at the moment. They do not change once made.
type Keys struct {
	RSA   [20]byte
	Ed    [32]byte
	Onion []*x25519.KeyPair // the current one, and those before it in their time of grace
}

// Ends serves what comes to the end of circuits here: streams, and whatever else is not about the circuit itself. See
// [circuit.Relay].
type Ends interface {
	Stream(c *circuit.RelayCircuit, s stream.Incoming)
	Receive(c *circuit.RelayCircuit, m relaymsg.Msg) error
	Closed(c *circuit.RelayCircuit)
}

// Config is what a Relay needs.
type Config struct {
	Log   *slog.Logger
	Keys  func() *Keys   // of the moment
	Links *link.Registry // where circuits are extended to
	Ends  Ends

	// Directory serves a BEGIN_DIR stream, which has been accepted, and closes it; by is the link that its circuit comes from.
	// Nil leaves such streams to Ends.
	Directory func(ctx context.Context, s net.Conn, by *link.Link)

	// MayExtend tells whether circuits may be extended to an address. Nil refuses what is not on the public Internet.
	MayExtend func(netip.AddrPort) bool

	// MayCreate tells whether a link may make one more circuit, and if not, what it is told. Nil lets all.
	MayCreate func(*link.Link) (bool, cell.DestroyReason)

	// Dropped is told of each handshake that is refused since too many wait. It may be nil.
	Dropped func()

	// CC returns what the consensus says of congestion control; nil, or a nil CC, grants none.
	CC func() *congestion.Params

	// SendmeMin returns the oldest version of SENDME that the consensus allows (sendme_accept_min_version); 0 if it is nil.
	SendmeMin func() uint8

	// QueueDelay returns how long a handshake may wait (MaxOnionQueueDelay); 1.75 s if it is nil.
	QueueDelay func() time.Duration

	Workers  int // of handshakes; one for each processor if zero
	MaxDials int // links that may be under way for circuits; 512 if zero
}

const (
	defaultQueueDelay = 1750 * time.Millisecond
	defaultMaxDials   = 512
	// queueLen bounds the handshakes that wait, for each worker: 2 MB of requests, and some 50 ms of work. What would be
	// older than QueueDelay is refused all the same.
	queueLen = 1024
)

// A Relay is a circuit.Relay. Run must be running.
type Relay struct {
	cfg     Config
	queue   *queue
	padder  *circuit.Padder
	dials   chan struct{} // holds a token for each dial under way
	dialing room          // of those in dials
	ctx     context.Context
	end     context.CancelCauseFunc
	wg      sync.WaitGroup // of extensions

	mu     sync.Mutex // guards closed and the adding to wg
	closed bool
}

// ErrClosed is why a relay's work ends when Run does.
var ErrClosed = errors.New("the relay is being closed")

// New returns a relay.
func New(cfg Config) *Relay {
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.QueueDelay == nil {
		cfg.QueueDelay = func() time.Duration { return defaultQueueDelay }
	}
	if cfg.MaxDials == 0 {
		cfg.MaxDials = defaultMaxDials
	}
	if cfg.MayExtend == nil {
		cfg.MayExtend = public
	}
	r := &Relay{cfg: cfg, queue: newQueue(queueLen * cfg.Workers), dials: make(chan struct{}, cfg.MaxDials)}
	r.padder = circuit.NewPadder(cfg.Log)
	r.dialing = newRoom(cap(r.dials))
	r.ctx, r.end = context.WithCancelCause(context.Background())
	return r
}

// SetLinks says where circuits are extended to, if the Config did not: the registry needs the relay for its handlers, and
// the relay the registry. It must be called before any circuit is there.
func (r *Relay) SetLinks(links *link.Registry) { r.cfg.Links = links }

// Run answers handshakes and pads circuits until ctx ends. It returns after all that the relay has started is over.
func (r *Relay) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range r.cfg.Workers {
		safego.Go(&workers, r.cfg.Log, "onion skin worker", func() { r.work(ctx) })
	}
	safego.Go(&workers, r.cfg.Log, "circuit padding", func() { r.padder.Run(ctx) })
	workers.Wait()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end(ErrClosed)
	r.wg.Wait()
}

// Stream implements circuit.Relay.
func (r *Relay) Stream(c *circuit.RelayCircuit, s stream.Incoming) {
	if s.Cmd != relaymsg.CmdBeginDir || r.cfg.Directory == nil {
		r.cfg.Ends.Stream(c, s)
		return
	}
	if !r.start(func() {
		defer s.Close()
		if s.Accept(relaymsg.Connected{}) == nil {
			r.cfg.Directory(r.ctx, s, c.Prev())
		}
	}) {
		s.Refuse(relaymsg.EndHibernating)
	}
}

// Receive implements circuit.Relay.
func (r *Relay) Receive(c *circuit.RelayCircuit, m relaymsg.Msg) error {
	return r.cfg.Ends.Receive(c, m)
}

// Padder implements circuit.Relay.
func (r *Relay) Padder() *circuit.Padder { return r.padder }

// Closed implements circuit.Relay.
func (r *Relay) Closed(c *circuit.RelayCircuit) { r.cfg.Ends.Closed(c) }

var _ circuit.Relay = (*Relay)(nil)
