package cell

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// CreatedFast is the answer to CreateFast.
//
//	Y 20 | KH 20
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
type CreatedFast struct {
	Y  [20]byte
	KH [20]byte // proves that the relay has derived the same keys
}

// ParseCreatedFast parses the body of a CREATED_FAST cell.
func ParseCreatedFast(body []byte) (m CreatedFast, err error) {
	s := cryptobyte.String(body)
	if !s.CopyBytes(m.Y[:]) || !s.CopyBytes(m.KH[:]) {
		return CreatedFast{}, fmt.Errorf("CREATED_FAST: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m CreatedFast) AppendTo(dst []byte) ([]byte, error) {
	dst = append(dst, m.Y[:]...)
	return append(dst, m.KH[:]...), nil
}
