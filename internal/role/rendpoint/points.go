package rendpoint

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Config is what Points need.
type Config struct {
	// Refuse tells whether a client that is linked to us is to be refused (dos.DoS.RefuseRendezvous).
	Refuse func() bool
}

// Points are the rendezvous points at a relay. Their methods are safe for concurrent use; the readers of links call them, and
// none waits.
type Points struct {
	cfg   Config
	cells atomic.Uint64

	mu      sync.Mutex // a leaf; guards the fields below
	waiting map[[20]byte]*circuit.RelayCircuit
	cookies map[*circuit.RelayCircuit][20]byte // of those that wait: a circuit is in it once
}

// New returns the rendezvous points of a relay.
func New(cfg Config) *Points {
	return &Points{cfg: cfg, waiting: map[[20]byte]*circuit.RelayCircuit{}, cookies: map[*circuit.RelayCircuit][20]byte{}}
}

var (
	errCookieInUse   = errors.New("ESTABLISH_RENDEZVOUS with a cookie that is in use")
	errUnknownCookie = errors.New("RENDEZVOUS1 for a client that does not wait")
)

// Waiting returns how many clients wait.
func (p *Points) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.cookies)
}

// Cells returns how many cells have come on joined circuits.
func (p *Points) Cells() uint64 { return p.cells.Load() }

// Receive takes a message about rendezvous. An error closes the circuit with PROTOCOL.
func (p *Points) Receive(c *circuit.RelayCircuit, m relaymsg.Msg) error {
	switch m.Cmd {
	case relaymsg.CmdEstablishRendezvous:
		return p.establish(c, m.Body)
	case relaymsg.CmdRendezvous1:
		return p.meet(c, m.Body)
	}
	return fmt.Errorf("%v to a rendezvous point", m.Cmd)
}

// establish lets a client wait.
func (p *Points) establish(c *circuit.RelayCircuit, body []byte) error {
	// "Silent drop": the client is to lose time before it tries another relay.
	if !c.Prev().Peer().Relay && p.cfg.Refuse() {
		return nil
	}
	if err := c.Take(circuit.UseRendezvous); err != nil {
		return err
	}
	m, err := relaymsg.ParseEstablishRendezvous(body)
	if err != nil {
		return err
	}
	if !p.add(c, m.Cookie) {
		return errCookieInUse
	}
	return c.Send(relaymsg.Msg{Cmd: relaymsg.CmdRendezvousEstablished})
}

// add notes that a client waits, unless another does with this cookie.
func (p *Points) add(c *circuit.RelayCircuit, cookie [20]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting[cookie] != nil {
		return false
	}
	if !c.Closed() { // else nobody would take it out again: Closed below waits for mu
		p.waiting[cookie], p.cookies[c] = c, cookie
	}
	return true
}

// meet joins the circuit of a service with that of the client that waits for it, and passes on what the service says.
func (p *Points) meet(c *circuit.RelayCircuit, body []byte) error {
	if err := c.Take(circuit.UseRendezvous); err != nil {
		return err
	}
	m, err := relaymsg.ParseRendezvous1(body)
	if err != nil {
		return err
	}
	client := p.take(m.Cookie)
	if client == nil {
		return errUnknownCookie
	}
	// The client may answer at once, and then the way to the service must be there.
	if err := circuit.Join(client, c, &p.cells); err != nil {
		return err
	}
	return client.Send(relaymsg.Msg{Cmd: relaymsg.CmdRendezvous2, Body: m.Handshake})
}

// take returns the circuit of the client that waits with a cookie, which no longer waits then; nil if there is none.
func (p *Points) take(cookie [20]byte) *circuit.RelayCircuit {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.waiting[cookie]
	delete(p.waiting, cookie)
	delete(p.cookies, c)
	return c
}

// Closed forgets the circuit.
func (p *Points) Closed(c *circuit.RelayCircuit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cookie, ok := p.cookies[c]; ok {
		delete(p.waiting, cookie)
		delete(p.cookies, c)
	}
}
