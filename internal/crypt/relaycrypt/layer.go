package relaycrypt

import (
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// kind is an algorithm of relay encryption. There is one call per cell and layer, so the choice is a switch on it and
// not an interface.
type kind uint8

const (
	kindTor1 kind = iota + 1 // AES-128-CTR and SHA-1
	kindHSv3                 // AES-256-CTR and SHA3-256
)

const badKind = "relaycrypt: layer without keys"

// Layer is the state of one hop in one direction.
type Layer struct {
	kind   kind
	format relaymsg.Format // of the cells that begin or end at this hop
	tor1   tor1
	hsv3   *hsv3 // in place of tor1
}

func newLayer(k kind, seed, key []byte) Layer {
	switch k {
	case kindTor1:
		return Layer{kind: k, format: relaymsg.V0, tor1: newTor1(seed, key)}
	case kindHSv3:
		return Layer{kind: k, format: relaymsg.V0, hsv3: newHSv3(seed, key)}
	}
	panic(badKind)
}

// body is the body of a RELAY or RELAY_EARLY cell. The command of the cell goes with it everywhere: newer algorithms
// authenticate it.
type body = [cell.BodyLen]byte

// clientOriginate prepares a cell for the relay of this layer.
func (l *Layer) clientOriginate(b *body, _ uint8) {
	switch l.kind {
	case kindTor1:
		l.tor1.originate(b)
	case kindHSv3:
		l.hsv3.originate(b)
	default:
		panic(badKind)
	}
}

// tag returns the tag of the last cell that this layer has originated, or recognised.
func (l *Layer) tag() Tag {
	switch l.kind {
	case kindTor1:
		return l.tor1.tag()
	case kindHSv3:
		return l.hsv3.digest.tag()
	}
	panic(badKind)
}

// clientForward encrypts a cell for a relay beyond this one.
func (l *Layer) clientForward(b *body, _ uint8) {
	switch l.kind {
	case kindTor1:
		l.tor1.crypt(b)
	case kindHSv3:
		l.hsv3.cryptTo(b, b)
	default:
		panic(badKind)
	}
}

// clientBackward decrypts a cell from this relay or one beyond it, and tells whether it is from this one. last says that
// there is none beyond it: if it is not from this one either, the circuit is at its end, and so is this layer.
func (l *Layer) clientBackward(b *body, _ uint8, last bool) bool {
	switch l.kind {
	case kindTor1:
		return l.tor1.open(b, last)
	case kindHSv3:
		return l.hsv3.openTo(b, b, last)
	}
	panic(badKind)
}

// relayForward decrypts a cell from the client into dst, and tells whether it is for us.
func (l *Layer) relayForward(dst, src *body, _ uint8) bool {
	switch l.kind {
	case kindTor1:
		return l.tor1.openTo(dst, src, false)
	case kindHSv3:
		return l.hsv3.openTo(dst, src, false)
	}
	panic(badKind)
}

// relayOriginate prepares a cell of ours for the client.
func (l *Layer) relayOriginate(b *body, _ uint8) {
	switch l.kind {
	case kindTor1:
		l.tor1.originate(b)
	case kindHSv3:
		l.hsv3.originate(b)
	default:
		panic(badKind)
	}
}

// relayBackward encrypts a cell on its way to the client into dst.
func (l *Layer) relayBackward(dst, src *body, _ uint8) {
	switch l.kind {
	case kindTor1:
		l.tor1.cryptTo(dst, src)
	case kindHSv3:
		l.hsv3.cryptTo(dst, src)
	default:
		panic(badKind)
	}
}
