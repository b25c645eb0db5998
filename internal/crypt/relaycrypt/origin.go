package relaycrypt

import (
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Outbound is the sending side of a circuit at its origin. The zero Outbound has no hops.
type Outbound struct{ layers []Layer }

// Add appends a hop. It takes the layer.
func (o *Outbound) Add(l Layer) { o.layers = append(o.layers, l) }

// Hops returns the number of hops.
func (o *Outbound) Hops() int { return len(o.layers) }

// Format returns the format of relay cells that go to the given hop.
func (o *Outbound) Format(hop int) relaymsg.Format { return o.layers[hop].format }

// Seal encrypts a cell of the given command in place for the given hop, 0 being the first, and returns the tag that a
// SENDME for it will quote.
func (o *Outbound) Seal(b *[cell.BodyLen]byte, cmd uint8, hop int) Tag {
	o.layers[hop].clientOriginate(b, cmd)
	for i := hop - 1; i >= 0; i-- {
		o.layers[i].clientForward(b, cmd)
	}
	return o.layers[hop].tag()
}

// Inbound is the receiving side of a circuit at its origin. The zero Inbound has no hops.
type Inbound struct{ layers []Layer }

// Add appends a hop. It takes the layer.
func (i *Inbound) Add(l Layer) { i.layers = append(i.layers, l) }

// Hops returns the number of hops.
func (i *Inbound) Hops() int { return len(i.layers) }

// Format returns the format of relay cells that come from the given hop.
func (i *Inbound) Format(hop int) relaymsg.Format { return i.layers[hop].format }

// Open decrypts a cell of the given command in place, and tells which hop sent it and the tag that a SENDME for it must
// quote. If ok is false, no hop did: someone garbled the cell, the states have diverged, and the circuit must be closed.
func (i *Inbound) Open(b *[cell.BodyLen]byte, cmd uint8) (hop int, tag Tag, ok bool) {
	for hop := range i.layers {
		if i.layers[hop].clientBackward(b, cmd, hop == len(i.layers)-1) {
			return hop, i.layers[hop].tag(), true
		}
	}
	return -1, Tag{}, false
}
