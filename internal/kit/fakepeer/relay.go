package fakepeer

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Config says what a Relay is and does. The zero Config is that of an honest relay, all of whose streams are echoes.
type Config struct {
	Identity *Identity        // who it is; the first of Identities if nil
	Others   []*Identity      // relays that it plays itself when a circuit is extended to them
	Now      func() time.Time // time.Now if nil
	Protos   []uint16         // link protocols that it speaks; 3 to 5 if nil
	MaxTLS   uint16           // tls.VersionTLS13 if zero
	Tickets  bool             // TLS session tickets, which real relays do not send
	Dribble  bool             // a TLS record for each byte of the handshake
	Window   int              // DATA cells on the way to the client on one circuit; 1000 if zero
	V3Exts   circext.List     // extensions in its ntor-v3 answers

	Stream  func(target string) Handler            // who serves a BEGIN; Echo for all if nil
	Resolve func(name string) []relaymsg.Answer    // the answer to a RESOLVE; nil for none at all
	Dir     func(request string) (response []byte) // the answer to a directory request; nil refuses BEGIN_DIR
	Hooks   Hooks
}

// Hooks make a Relay misbehave, or watch it. Those that are nil change nothing. They are called without a lock, and may
// call what they like.
type Hooks struct {
	// Handshake gets what the relay is about to send on a new link, VERSIONS to NETINFO, and returns what it sends.
	Handshake func(steps []Step) []Step
	// Cell gets every cell of the client once the link is open, and reports whether the relay is to leave it alone.
	Cell func(c *Conn, in cell.Cell) (handled bool)
	// Message gets every message of the client that reached its hop, and reports whether the relay is to leave it alone.
	Message func(c *Circuit, hop int, in relaymsg.Msg) (handled bool)
	// Answer gets what the relay is about to send in answer to CREATE and to messages, may change it, and reports whether
	// it is to be sent. For the cells CREATED2 and CREATED_FAST, the hop is -1, and only Body counts.
	Answer func(c *Circuit, hop int, out *relaymsg.Msg) (send bool)
}

// A Step is one part of the responder's handshake.
type Step struct {
	Cell cell.Cell
	Raw  []byte // sent as it is in place of the cell, if not nil
	Cut  bool   // the connection ends after this step
}

// Stats are counts of what the client did.
type Stats struct {
	Links    int      // TLS handshakes finished
	Open     int      // links of which NETINFO has come
	Closed   int      // links that have ended
	Circuits int      // circuits created
	Cells    [256]int // by command, on open links
	Msgs     [256]int // relay messages at any hop, by command
	Data     int64    // bytes in DATA messages
}

// A Relay is a fake relay. Its methods are safe for concurrent use.
type Relay struct {
	tb     testing.TB
	cfg    Config
	others map[[20]byte]*Identity

	wg sync.WaitGroup

	mu         sync.Mutex // guards the fields below, and all of Conn, Circuit and Stream but what they except
	changed    *sync.Cond // something of the fields below has changed
	stats      Stats
	conns      []*Conn // all that were ever open
	raw        map[net.Conn]struct{}
	listeners  []net.Listener
	violations []string
	closed     bool
}

// New returns a relay that reports to tb. It is closed when tb's test ends.
func New(tb testing.TB, cfg Config) *Relay {
	if cfg.Identity == nil {
		cfg.Identity = Identities(1)[0]
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Protos == nil {
		cfg.Protos = []uint16{3, 4, 5}
	}
	if cfg.MaxTLS == 0 {
		cfg.MaxTLS = tls.VersionTLS13
	}
	if cfg.Window == 0 {
		cfg.Window = circWindow
	}
	if cfg.Stream == nil {
		cfg.Stream = func(string) Handler { return Echo }
	}
	r := &Relay{tb: tb, cfg: cfg, others: map[[20]byte]*Identity{}, raw: map[net.Conn]struct{}{}}
	for _, id := range cfg.Others {
		r.others[id.RSA()] = id
	}
	r.changed = sync.NewCond(&r.mu)
	tb.Cleanup(r.Close)
	return r
}

// Identity returns who the relay is.
func (r *Relay) Identity() *Identity { return r.cfg.Identity }

// Serve accepts connections from l, which it takes, until the relay is closed. It does not wait.
func (r *Relay) Serve(l net.Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(r.listeners, l)
	r.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.accept(c)
		}
	})
}

func (r *Relay) accept(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		c.Close()
		return
	}
	r.raw[c] = struct{}{}
	r.wg.Go(func() {
		r.serve(c)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.raw, c)
	})
}

// Close ends all connections and handlers, and waits for them.
func (r *Relay) Close() {
	r.mu.Lock()
	r.closed = true
	for _, l := range r.listeners {
		l.Close()
	}
	for c := range r.raw {
		c.Close() // not the TLS connection: it would wait to say good-bye
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// Stats returns the counts so far.
func (r *Relay) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Violations returns what the client did that it must not. The test has been told of the first of them already.
func (r *Relay) Violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.violations)
}

// Conns returns the links that were ever open, oldest first.
func (r *Relay) Conns() []*Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.conns)
}

// Circuit returns the circuit that was created last. It fails the test if there is none.
func (r *Relay) Circuit() *Circuit {
	r.tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var last *Circuit
	for _, c := range r.conns {
		for _, circ := range c.circs {
			if last == nil || circ.number > last.number {
				last = circ
			}
		}
	}
	if last == nil {
		r.tb.Fatal("fake relay: no circuit is open")
	}
	return last
}

// waitLimit is how long WaitFor waits.
const waitLimit = 20 * time.Second

// WaitFor blocks until ok reports true of the counts; it must not keep them. It fails the test if that takes too long.
func (r *Relay) WaitFor(what string, ok func(s *Stats) bool) {
	r.tb.Helper()
	late := false
	timer := time.AfterFunc(waitLimit, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		late = true
		r.changed.Broadcast()
	})
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !ok(&r.stats) {
		if late {
			r.tb.Fatalf("fake relay: waited too long for %s", what)
		}
		r.changed.Wait()
	}
}

// maxReports bounds what the test is told: a client that is wrong once is often wrong for ever.
const maxReports = 10

// violationLocked reports that the client broke a rule.
func (r *Relay) violationLocked(format string, args ...any) {
	v := fmt.Sprintf(format, args...)
	r.violations = append(r.violations, v)
	if len(r.violations) > maxReports {
		return
	}
	r.tb.Errorf("fake relay: the client broke the protocol: %s", v)
}
