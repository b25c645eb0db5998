package link

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
	"github.com/tropea-net/tropea/internal/lib/memacct"
	"github.com/tropea-net/tropea/internal/lib/netx"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

// Config is what a Registry needs.
type Config struct {
	Env        env.Env
	Security   Security            // TLS if nil
	NewHandler func(*Link) Handler // called before the link's reader starts
	Events     *event.Bus          // gets Event values; may be nil
	Timeout    time.Duration       // for connecting, TLS and handshake together; 60 s if zero
	Padding    PaddingPolicy       // what new links start with
	Queues     QueueParams         // see SetQueues
	Limits     Limits              // see SetLimits
	Memory     *memacct.Account    // told of what queues hold; may be nil

	// What a relay needs; a client has neither.
	Credentials func() *Credentials // what it proves its identities with at the moment
	OwnAddrs    func() []netip.Addr // its addresses, as it tells other relays

	// KnownRelay tells whether an RSA identity is of a relay in the network, which PerConnRate is not for. If nil, whoever has
	// identities is taken for a relay.
	KnownRelay func(rsa [20]byte) bool

	// Addrs chooses which of a relay's addresses to use and in what order; all of them as they are if nil.
	Addrs func([]netip.AddrPort) []netip.AddrPort
}

// A Registry holds all open links and makes new ones. Its methods are safe for concurrent use.
type Registry struct {
	cfg Config
	log *slog.Logger
	ctx context.Context // of every link; cancelled by Close
	end context.CancelCauseFunc
	wg  sync.WaitGroup

	queues        *shared
	rates         rates
	read, written cellCount

	mu      sync.Mutex // guards the fields below
	links   map[*Link]struct{}
	relays  map[[20]byte][]*Link // those to relays, by RSA identity
	dials   map[relayKey]*dial
	padding PaddingPolicy
	closed  bool
}

// A dial is an attempt to open a link that several callers may wait for.
type dial struct {
	done chan struct{}
	link *Link
	err  error
}

// State is a step in the life of a link, as told by an Event.
type State uint8

// The states that events tell of.
const (
	StateConnecting State = iota + 1 // before the TCP connection
	StateConnected                   // TCP is there, TLS begins
	StateHandshake                   // TLS is there, VERSIONS begins
	StateOpen
	StateFailed // it never opened
	StateClosed
)

// An Event tells of a link's change of state.
type Event struct {
	State    State
	Accepted bool // the other end has connected to us
	Target   Target
	Addr     netip.AddrPort
	Skew     time.Duration // of an open link: how far our clock is ahead
	Err      error         // of a failed or closed one
}

var errNoAddr = errors.New("relay has no address that may be used")

// ErrClosed is why links end when their registry is closed.
var ErrClosed = errors.New("links are being closed")

// NewRegistry returns a registry without links. Close must be called in the end.
func NewRegistry(cfg Config) *Registry {
	if cfg.Security == nil {
		cfg.Security = TLS{}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	r := &Registry{
		cfg: cfg, log: cfg.Env.Log,
		links: map[*Link]struct{}{}, relays: map[[20]byte][]*Link{}, dials: map[relayKey]*dial{},
		padding: cfg.Padding, queues: newShared(cfg.Queues, cfg.Memory),
	}
	r.rates.set(cfg.Limits)
	r.ctx, r.end = context.WithCancelCause(context.Background())
	return r
}

// Close ends all links and waits for their goroutines.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end(ErrClosed)
	r.wg.Wait()
}

// SetPadding changes the padding policy of all links, open ones and those to come.
func (r *Registry) SetPadding(p PaddingPolicy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.padding = p
	for l := range r.links {
		l.SetPadding(p)
	}
}

// SetQueues changes the bounds of circuits' queues on all links.
func (r *Registry) SetQueues(p QueueParams) { r.queues.set(p) }

// SetLimits changes the limits of all connections.
func (r *Registry) SetLimits(limits Limits) {
	r.rates.set(limits)
	for _, l := range r.Links() {
		r.limit(l)
	}
}

// Limits returns what SetLimits has set.
func (r *Registry) Limits() Limits {
	r.rates.mu.Lock()
	defer r.rates.mu.Unlock()
	return r.rates.limits
}

// limit sets the limits that are for l alone.
func (r *Registry) limit(l *Link) {
	known := l.peer.Relay && (r.cfg.KnownRelay == nil || r.cfg.KnownRelay(l.peer.RSA))
	r.rates.limit(l.meter, known)
}

// Bytes returns what has gone over all connections so far, of IPv4 and of IPv6. Those with private addresses are left out
// unless Limits say otherwise.
func (r *Registry) Bytes() (v4, v6 Traffic) { return r.rates.total[0].get(), r.rates.total[1].get() }

// Cells returns how many cells were read and written so far.
func (r *Registry) Cells() (read, written Cells) { return r.read.get(), r.written.get() }

// Waits returns how often somebody had to wait for Limits.Rate: in that direction the node is overloaded.
func (r *Registry) Waits() (read, written uint64) {
	return r.rates.all[reading].Waits(), r.rates.all[writing].Waits()
}

// Links returns the open links.
func (r *Registry) Links() []*Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Link, 0, len(r.links))
	for l := range r.links {
		list = append(list, l)
	}
	return list
}

// Get returns an open link to t: one that is there, or a new one. Callers that ask for the same relay at the same time
// share one dial, which goes on when the caller that began it gives up.
func (r *Registry) Get(ctx context.Context, t Target) (*Link, error) {
	if r.cfg.Addrs != nil {
		t.Addrs = r.cfg.Addrs(t.Addrs)
	}
	if len(t.Addrs) == 0 {
		return nil, errNoAddr
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	if l := r.findLocked(&t); l != nil {
		r.mu.Unlock()
		return l, nil
	}
	d := r.dials[t.key()]
	if d == nil {
		d = &dial{done: make(chan struct{})}
		r.dials[t.key()] = d
		// Under mu, so that Close waits for it.
		safego.Go(&r.wg, r.log, "link dial", func() { r.dial(d, t) })
	}
	r.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-d.done:
	}
	return d.link, d.err
}

// Find returns an open link to t that is there, or nil.
func (r *Registry) Find(t Target) *Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.findLocked(&t)
}

// maxReuse is how old a link may be for new circuits: one that lives on for ever would keep its first keys for ever. C tor:
// TIME_BEFORE_OR_CONN_IS_TOO_OLD.
const maxReuse = 7 * 24 * time.Hour

// findLocked returns the oldest open link to t that new circuits may use. Others to the same relay get none, and so end when
// theirs have.
func (r *Registry) findLocked(t *Target) *Link {
	if t.HasRSA {
		return t.oldest(slices.Values(r.relays[t.RSA]))
	}
	return t.oldest(maps.Keys(r.links))
}

// dial tries the addresses of t in order, and serves the link that comes of it until it ends.
func (r *Registry) dial(d *dial, t Target) {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timeout)
	defer cancel()
	var l *Link
	err := errPanic
	safego.Run(r.log, "link handshake", func() {
		for _, addr := range t.Addrs {
			if l, err = r.open(ctx, t, addr); err == nil || ctx.Err() != nil {
				break
			}
		}
	})
	r.mu.Lock()
	delete(r.dials, t.key())
	if err == nil {
		r.addLocked(l)
	}
	r.mu.Unlock()
	if err == nil {
		r.limit(l)
	}
	d.link, d.err = l, err
	if err != nil {
		r.publish(Event{State: StateFailed, Target: t, Addr: t.Addrs[0], Err: err})
		close(d.done)
		return
	}
	l.negotiatePadding()
	r.publish(Event{State: StateOpen, Target: t, Addr: l.peer.Addr, Skew: l.skew})
	close(d.done)
	r.serve(l, t)
}

func (r *Registry) addLocked(l *Link) {
	l.SetPadding(r.padding)
	r.links[l] = struct{}{}
	if l.peer.Relay {
		r.relays[l.peer.RSA] = append(r.relays[l.peer.RSA], l)
	}
}

func (r *Registry) removeLocked(l *Link) {
	delete(r.links, l)
	if !l.peer.Relay {
		return
	}
	rest := slices.DeleteFunc(r.relays[l.peer.RSA], func(o *Link) bool { return o == l })
	if len(rest) == 0 {
		delete(r.relays, l.peer.RSA)
	} else {
		r.relays[l.peer.RSA] = rest
	}
}

// serve runs a link until it ends. t is what it was made for, if it was.
func (r *Registry) serve(l *Link, t Target) {
	l.run(r.ctx)
	r.mu.Lock()
	r.removeLocked(l)
	r.mu.Unlock()
	r.publish(Event{State: StateClosed, Accepted: !l.ours, Target: t, Addr: l.peer.Addr, Err: l.err})
}

// open makes one link to one address.
func (r *Registry) open(ctx context.Context, t Target, addr netip.AddrPort) (*Link, error) {
	fail := func(op string, err error) (*Link, error) {
		return nil, &DialError{Addr: addr, Op: op, Err: err}
	}
	r.publish(Event{State: StateConnecting, Target: t, Addr: addr})
	raw, err := r.cfg.Env.Net.Dial(ctx, "tcp", addr.String())
	if err != nil {
		return fail("connect", contextError(ctx, err))
	}
	r.tune(raw)
	r.publish(Event{State: StateConnected, Target: t, Addr: addr})
	m := newMeter(raw, &r.rates, Relayed)
	conn, err := r.cfg.Security.Client(ctx, m)
	if err != nil {
		return fail("TLS", contextError(ctx, err))
	}
	r.publish(Event{State: StateHandshake, Target: t, Addr: addr})
	l, err := r.handshake(ctx, conn, m, t, addr)
	if err != nil {
		conn.Close()
		return fail("handshake", contextError(ctx, err))
	}
	return l, nil
}

// notSentLowat keeps unsent data out of the kernel, so that which cell goes next is decided late. C tor's scheduler allows for
// about as much.
const notSentLowat = 32 << 10

// tune sets what links want of their sockets.
func (r *Registry) tune(raw net.Conn) {
	if q, ok := raw.(netx.QuickAcker); ok {
		q.SetQuickAck(true)
	}
	if w, ok := raw.(netx.LowWater); ok {
		if err := w.SetNotSentLowat(notSentLowat); err != nil {
			r.log.Debug("cannot set TCP_NOTSENT_LOWAT", "err", err)
		}
	}
}

// shake prepares a handshake over conn.
func (r *Registry) shake(conn SecureConn) shake {
	h := newShake(conn, r.cfg.Env.Now)
	if r.cfg.Credentials != nil {
		h.self = r.cfg.Credentials()
	}
	if r.cfg.OwnAddrs != nil {
		h.mine = r.cfg.OwnAddrs()
	}
	return h
}

func (r *Registry) handshake(ctx context.Context, conn SecureConn, m *meter, t Target, addr netip.AddrPort) (*Link, error) {
	h := initiator{shake: r.shake(conn), want: t}
	if err := inTime(ctx, conn, h.run); err != nil {
		return nil, err
	}
	l := r.newLink(&h.shake, m, addr)
	l.ours = true
	return l, nil
}

// inTime runs a handshake, and makes it fail when ctx ends.
func inTime(ctx context.Context, conn SecureConn, run func() error) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := run(); err != nil {
		return err
	}
	if !stop() {
		return context.Cause(ctx) // the deadline is set or about to be: this connection is lost
	}
	return nil
}

// newLink makes a link of a handshake that is over.
func (r *Registry) newLink(h *shake, m *meter, addr netip.AddrPort) *Link {
	l := &Link{
		id:       lastID.Add(1),
		registry: r,
		meter:    m,
		peer:     Peer{Relay: h.proven, RSA: h.ids.RSA, Ed: h.ids.Ed, HasEd: h.ids.HasEd, Addr: addr},
		relay:    h.self != nil,
		canon:    slices.Contains(h.peerAddrs, addr.Addr()),
		proto:    h.proto,
		framing:  h.framing,
		conn:     h.conn,
		out:      newOutQueue(h.framing, r.queues),
		opened:   time.Now(),
		skew:     h.skew,
		mine:     h.seenFrom,
		early:    h.in,
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	l.log = r.log.With("link", l.id)
	l.padding.Store(&PaddingPolicy{})
	l.handler = r.cfg.NewHandler(l)
	return l
}

func (r *Registry) publish(e Event) {
	if r.cfg.Events != nil {
		r.cfg.Events.Publish(e)
	}
}

// contextError prefers the reason why ctx ended to the error that its end led to.
func contextError(ctx context.Context, err error) error {
	var ne net.Error
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.As(err, &ne) && ne.Timeout()) {
		return context.Cause(ctx)
	}
	return err
}
