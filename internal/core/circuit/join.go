package circuit

import (
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/wire/cell"
)

// Use is what a circuit that ends at this relay is for, besides streams.
type Use uint8

// The uses. From UseIntro on the circuit ends here for good.
const (
	UseNone       Use = iota
	UseIntroduce      // the client has introduced itself to a service; it may go on to another introduction point
	UseIntro          // a service has made this relay its introduction point
	UseRendezvous     // of a client that waits for a service, or of a service that has come for one
)

// Take settles what the circuit is for, which can be done once. It is an error unless the circuit ends here and is not being
// extended.
func (c *RelayCircuit) Take(u Use) error {
	c.fwd.mu.Lock()
	defer c.fwd.mu.Unlock()
	switch {
	case c.closed.Load():
		return ErrClosed
	case c.fwd.state != relayOpen || c.fwd.next.table != nil:
		return violation("the circuit does not end here")
	case c.fwd.use != UseNone:
		return violation("the circuit is in use already")
	}
	c.fwd.use = u
	return nil
}

// A joint leads from a circuit to another that it is joined with. What comes from its client and is not for this relay goes
// to the client of the other.
type joint struct {
	to    *RelayCircuit
	count *atomic.Uint64 // of cells that have come
}

// Join makes each of two circuits lead to the other: they end together, too. Both must have been taken for UseRendezvous, and
// not be joined. count gets one more for each cell that comes on either from now on. Only [Relay.Receive] may call Join, for a
// RENDEZVOUS1 message on service: no cell of service passes meanwhile. An error says that one of the circuits is over, and
// so is client then.
//
// C tor has rend_splice for it.
func Join(client, service *RelayCircuit, count *atomic.Uint64) error {
	if err := client.lead(service, count); err != nil {
		return err
	}
	if err := service.lead(client, count); err != nil {
		client.Close(cell.DestroyDestroyed)
		return err
	}
	return nil
}

func (c *RelayCircuit) lead(to *RelayCircuit, count *atomic.Uint64) error {
	c.fwd.mu.Lock()
	defer c.fwd.mu.Unlock()
	if c.closed.Load() {
		return ErrClosed
	}
	if c.fwd.use != UseRendezvous || c.fwd.joint != nil {
		panic("circuit: Join of a circuit that is not for it")
	}
	c.fwd.joint = &joint{to, count}
	return nil
}
