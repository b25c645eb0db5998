package intropoint

import (
	"fmt"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Points are the introduction points at a relay. Their methods are safe for concurrent use; the readers of links call them, and
// none waits.
type Points struct {
	start time.Time // what seconds count from

	mu       sync.Mutex // a leaf; guards the fields below
	limits   limits     // of the consensus
	byKey    map[[32]byte]*service
	byCirc   map[*circuit.RelayCircuit]*service // the same ones: a circuit is in it once
	rejected uint64
}

// A service waits at the end of a circuit. Points.mu guards its fields.
type service struct {
	key    [32]byte
	circ   *circuit.RelayCircuit
	own    *limits // instead of those of the consensus; nil for none
	bucket bucket
}

// New returns the introduction points of a relay that has no consensus yet.
func New() *Points {
	return &Points{
		start: time.Now(), limits: consensusLimits(nil),
		byKey: map[[32]byte]*service{}, byCirc: map[*circuit.RelayCircuit]*service{},
	}
}

// SetParams takes the parameters of a new consensus. They hold for services that are here already, too.
func (p *Points) SetParams(list params.List) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits = consensusLimits(list)
}

// seconds goes by the monotonic clock.
func (p *Points) seconds() int64 { return int64(time.Since(p.start) / time.Second) }

// Rejected returns how many introductions were one too many for their service.
func (p *Points) Rejected() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rejected
}

// Services returns how many introduction points there are.
func (p *Points) Services() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byCirc)
}

// Receive takes a message about introductions. An error closes the circuit with PROTOCOL.
func (p *Points) Receive(c *circuit.RelayCircuit, m relaymsg.Msg) error {
	switch m.Cmd {
	case relaymsg.CmdEstablishIntro:
		return p.establish(c, m.Body)
	case relaymsg.CmdIntroduce1:
		return p.introduce(c, m.Body)
	}
	return fmt.Errorf("%v to an introduction point", m.Cmd)
}

// Closed forgets the circuit.
func (p *Points) Closed(c *circuit.RelayCircuit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeLocked(p.byCirc[c])
}

func (p *Points) removeLocked(s *service) {
	if s == nil {
		return
	}
	delete(p.byCirc, s.circ)
	if p.byKey[s.key] == s {
		delete(p.byKey, s.key)
	}
}

// register makes s known. Another with its key gives way, since a service may have lost it without our knowing.
func (p *Points) register(s *service) {
	p.mu.Lock()
	old := p.byKey[s.key]
	p.removeLocked(old)
	if !s.circ.Closed() { // else nobody would take it out again: Closed above waits for mu
		s.bucket.fill(p.seconds(), *s.limitsLocked(p))
		p.byKey[s.key], p.byCirc[s.circ] = s, s
	}
	p.mu.Unlock()
	if old != nil {
		old.circ.Close(cell.DestroyFinished)
	}
}

// limitsLocked returns what holds for s.
func (s *service) limitsLocked(p *Points) *limits {
	if s.own != nil {
		return s.own
	}
	return &p.limits
}
