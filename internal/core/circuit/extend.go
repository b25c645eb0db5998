package circuit

import (
	"errors"
	"fmt"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// An ExtendRequest is an EXTEND2 that waits for a link.
type ExtendRequest struct {
	circ   *RelayCircuit
	try    uint32
	create []byte // the body of the CREATE2 cell

	Target link.Target // whose addresses nobody has checked yet
}

// Prev returns the link that the circuit comes from.
func (r *ExtendRequest) Prev() *link.Link { return r.circ.prev.table.link }

// Failed closes the circuit: there is no link.
func (r *ExtendRequest) Failed(reason cell.DestroyReason) {
	r.circ.fwd.mu.Lock()
	late := r.circ.fwd.tries != r.try
	r.circ.fwd.mu.Unlock()
	if !late {
		r.circ.close(reason, closedHere)
	}
}

var errLate = errors.New("the circuit no longer wants to be extended")

// Connected sends CREATE2 over l. An error says that it has not.
func (r *ExtendRequest) Connected(l *link.Link) error {
	c := r.circ
	table := l.Handler().(*Table) // every link of ours has one: the registry is wired so
	c.fwd.mu.Lock()
	defer c.fwd.mu.Unlock()
	if c.closed.Load() || c.fwd.tries != r.try {
		return errLate
	}
	next := side{table: table}
	if err := table.add(&c.bwd.Half, &next.id); err != nil {
		return err
	}
	c.fwd.next = next
	c.fwd.queue.Open(l.Out(), true)
	return c.fwd.queue.AppendCell(next.id, cell.CmdCreate2, r.create)
}

// extend begins to extend the circuit.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html#EXTEND
func (c *RelayCircuit) extend(m relaymsg.Msg, early bool) error {
	if !early {
		return violation("EXTEND2 in a RELAY cell") // "EXTEND ... MUST be in RELAY_EARLY"
	}
	ext, err := relaymsg.ParseExtend2(m.Body)
	if err != nil {
		return err
	}
	set, err := linkspec.NewSet(ext.Specs)
	switch {
	case err != nil:
		return err
	case !set.HasRSA:
		return violation("EXTEND2 without an RSA identity")
	case len(set.Addrs) == 0:
		return violation("EXTEND2 without an address")
	}
	req := &ExtendRequest{
		circ:   c,
		Target: link.Target{Addrs: set.Addrs, RSA: set.RSA, HasRSA: true, Ed: set.Ed, HasEd: set.HasEd},
	}
	if p := c.prev.table.link.Peer(); p.Relay && (p.RSA == set.RSA || set.HasEd && p.HasEd && p.Ed == set.Ed) {
		return violation("EXTEND2 back to the relay before this one")
	}
	if req.create, err = (cell.Create2{Type: ext.Type, Data: ext.Data}).AppendTo(nil); err != nil {
		return fmt.Errorf("EXTEND2: %w", err)
	}
	c.fwd.mu.Lock()
	if c.fwd.state != relayOpen || c.fwd.next.table != nil {
		c.fwd.mu.Unlock()
		return violation("EXTEND2 on a circuit that goes on already")
	}
	if c.fwd.use > UseIntroduce {
		c.fwd.mu.Unlock()
		return violation("EXTEND2 on a circuit whose end is in use")
	}
	c.fwd.state = relayExtending
	c.fwd.tries++
	req.try = c.fwd.tries
	c.fwd.mu.Unlock()
	c.prev.table.link.AddUsage(link.UsageCircuits)
	c.prev.table.relay.Extend(req)
	return nil
}

// maxExtended is how long a relay's part of a handshake may be to fit into EXTENDED2: CREATED2 has room for more.
const maxExtended = relaymsg.MaxBody - 2

// extended passes CREATED2 on to the client.
func (c *RelayCircuit) extended(body *[cell.BodyLen]byte) error {
	m, err := cell.ParseCreated2(body[:])
	if err != nil {
		return err
	}
	if len(m.Data) > maxExtended {
		return violation("CREATED2 with %d bytes, which no EXTENDED2 can hold", len(m.Data))
	}
	c.fwd.mu.Lock()
	due := c.fwd.state == relayExtending && c.fwd.next.table != nil
	if due {
		c.fwd.state = relayOpen
	}
	c.fwd.mu.Unlock()
	if !due {
		return violation("CREATED2 that was not asked for")
	}
	out, err := relaymsg.Extended2{Data: m.Data}.AppendTo(nil)
	if err != nil {
		return err
	}
	return c.Send(relaymsg.Msg{Cmd: relaymsg.CmdExtended2, Body: out})
}
