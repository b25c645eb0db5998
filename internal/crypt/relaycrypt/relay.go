package relaycrypt

import (
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// Relay is the state of a circuit at a relay: one layer for either direction.
type Relay struct{ forward, backward Layer }

// NewRelay makes the state from the keys that the handshake gave.
func NewRelay(k Keys) *Relay { return &Relay{k.Forward(), k.Backward()} }

// Format returns the format of the relay cells that begin or end here.
func (r *Relay) Format() relaymsg.Format { return r.forward.format }

// Forward decrypts a cell of the given command from the client, in place. If it is recognised as ours, a SENDME for it
// must quote the tag; if not, it is ready to be passed on, with the same command.
func (r *Relay) Forward(b *[cell.BodyLen]byte, cmd uint8) (recognized bool, tag Tag) {
	if !r.ForwardTo(b, b, cmd) {
		return false, Tag{}
	}
	return true, r.ForwardTag()
}

// ForwardTo is Forward with the result in dst, which may be src. The tag is then that of ForwardTag.
func (r *Relay) ForwardTo(dst, src *[cell.BodyLen]byte, cmd uint8) (recognized bool) {
	return r.forward.relayForward(dst, src, cmd)
}

// ForwardTag returns the tag of the last cell that was recognized.
func (r *Relay) ForwardTag() Tag { return r.forward.tag() }

// Originate encrypts a cell of ours for the client, in place, and returns the tag that a SENDME for it will quote.
func (r *Relay) Originate(b *[cell.BodyLen]byte, cmd uint8) Tag {
	r.backward.relayOriginate(b, cmd)
	return r.backward.tag()
}

// Backward encrypts a cell of a relay beyond us on its way to the client, in place.
func (r *Relay) Backward(b *[cell.BodyLen]byte, cmd uint8) { r.BackwardTo(b, b, cmd) }

// BackwardTo is Backward with the result in dst, which may be src.
func (r *Relay) BackwardTo(dst, src *[cell.BodyLen]byte, cmd uint8) {
	r.backward.relayBackward(dst, src, cmd)
}
