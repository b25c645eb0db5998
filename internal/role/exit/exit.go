package exit

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// ttl is the lifetime of all names and addresses that clients are told, in seconds.
const ttl = 60

// An Exit is the relay.Ends of a relay that streams leave the network at, and also of one whose policy rejects all. Its
// methods are safe for concurrent use.
type Exit struct {
	cfg    Config
	log    *slog.Logger
	policy atomic.Pointer[policy]
	wg     sync.WaitGroup // of flows

	mu        sync.Mutex // guards the fields below and the adding to wg; a leaf
	closed    bool
	flows     map[*flow]struct{}
	waiting   int
	byCircuit map[*circuit.RelayCircuit]int // those that wait
}

// A flow is a stream in the hands of a goroutine.
type flow struct {
	e *Exit
	c *circuit.RelayCircuit
	s *stream.Stream

	conn net.Conn       // to the server; nil while there is none. Exit.mu guards conn and to until then
	to   netip.AddrPort // what the policy has judged
}

// New returns an exit.
func New(cfg Config) *Exit {
	e := &Exit{cfg: cfg.withDefaults(), log: cfg.Env.Log, flows: map[*flow]struct{}{}, byCircuit: map[*circuit.RelayCircuit]int{}}
	e.SetPolicy(cfg.Policy)
	return e
}

// Run waits until ctx ends, and then ends all streams. It returns after they are over.
func (e *Exit) Run(ctx context.Context) error {
	<-ctx.Done()
	e.mu.Lock()
	e.closed = true
	var conns []net.Conn
	var streams []*stream.Stream
	for f := range e.flows {
		streams = append(streams, f.s)
		if f.conn != nil {
			conns = append(conns, f.conn)
		}
	}
	e.mu.Unlock()
	for _, s := range streams {
		s.Refuse(relaymsg.EndHibernating)
	}
	for _, c := range conns {
		c.Close()
	}
	e.wg.Wait()
	return context.Cause(ctx)
}

// Streams returns how many streams there are, and how many of them wait for a name or a connection.
func (e *Exit) Streams() (all, waiting int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.flows), e.waiting
}

// Stream implements relay.Ends. The reader of a link calls it.
func (e *Exit) Stream(c *circuit.RelayCircuit, s stream.Incoming) {
	switch s.Cmd {
	case relaymsg.CmdBegin:
		e.begin(c, s)
	case relaymsg.CmdResolve:
		e.resolve(c, s)
	default:
		s.Refuse(relaymsg.EndNotDirectory)
	}
}

// Receive implements relay.Ends.
func (e *Exit) Receive(*circuit.RelayCircuit, relaymsg.Msg) error { return nil }

// Closed implements relay.Ends. The streams of a circuit end with it, which is all that matters here.
func (e *Exit) Closed(*circuit.RelayCircuit) {}

// mayStream asks whether a circuit may have another stream.
func (e *Exit) mayStream(c *circuit.RelayCircuit) bool {
	v := e.cfg.MayStream(c)
	if v == CloseCircuit {
		c.Close(cell.DestroyResourceLimit)
	}
	return v == Allow
}

// start runs wait in a goroutine, and then what it returns, unless that is nil. The stream counts as waiting during the
// first. A reason other than 0 says why there is no room for it.
func (e *Exit) start(c *circuit.RelayCircuit, s *stream.Stream, wait func(*flow) (carry func())) relaymsg.EndReason {
	f := &flow{e: e, c: c, s: s}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return relaymsg.EndHibernating
	case len(e.flows) >= e.cfg.MaxStreams:
		return relaymsg.EndResourceLimit
	case e.waiting >= e.cfg.MaxWaiting, e.byCircuit[c] >= e.cfg.MaxWaitingCircuit:
		// RESOURCELIMIT would make clients avoid this exit for hours, since somebody connects to where nobody answers.
		return relaymsg.EndMisc
	}
	e.flows[f] = struct{}{}
	e.waiting++
	e.byCircuit[c]++
	safego.Go(&e.wg, e.log, "exit stream", func() { f.run(wait) })
	return 0
}

func (f *flow) run(wait func(*flow) func()) {
	defer f.leave()
	defer f.s.Close()                      // what nobody has read
	defer f.s.Refuse(relaymsg.EndInternal) // after a panic; else it has ended
	if carry := f.waited(wait); carry != nil {
		carry()
	}
}

// waited runs wait, and counts the stream out of those that wait.
func (f *flow) waited(wait func(*flow) func()) (carry func()) {
	defer func() {
		e := f.e
		e.mu.Lock()
		defer e.mu.Unlock()
		e.waiting--
		if e.byCircuit[f.c]--; e.byCircuit[f.c] == 0 {
			delete(e.byCircuit, f.c)
		}
	}()
	return wait(f)
}

func (f *flow) leave() {
	f.e.mu.Lock()
	defer f.e.mu.Unlock()
	delete(f.e.flows, f)
}
