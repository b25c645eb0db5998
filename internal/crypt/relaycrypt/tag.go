package relaycrypt

import "crypto/subtle"

// Tag stands for one cell and all before it in its direction at one hop. A SENDME quotes it, as a proof that the cells
// arrived. The zero Tag stands for none. Tags are comparable, but see [Tag.Equal].
//
// https://spec.torproject.org/tor-spec/flow-control.html
type Tag struct {
	n uint8
	b [20]byte
}

// Len returns the length of the tag in bytes: 20 for a tor1 hop and for that of an onion service.
func (t Tag) Len() int { return int(t.n) }

// Bytes returns the tag.
func (t Tag) Bytes() []byte { return t.b[:t.n] }

// Equal compares with a tag that came from outside, in constant time.
func (t Tag) Equal(b []byte) bool { return subtle.ConstantTimeCompare(t.b[:t.n], b) == 1 }
