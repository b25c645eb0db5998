package circext

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// What can be wrong with a list of extensions, or with one.
var (
	ErrTruncated = errors.New("truncated")
	ErrTooLong   = errors.New("too long")
	ErrOrder     = errors.New("not in strictly ascending order")
	ErrMalformed = errors.New("malformed")
	ErrVersion   = errors.New("unknown version")
)

// Extension is one extension. After parsing, Body aliases the input.
type Extension struct {
	Type uint8
	Body []byte
}

// List is a list of extensions.
type List []Extension

// Parse parses a list, in whatever order it came and with repetitions. What follows the list is ignored, as in C tor.
func Parse(b []byte) (List, error) {
	s := cryptobyte.String(b)
	return Read(&s)
}

// Read takes a list off s, as Parse does. Bodies alias s.
func Read(s *cryptobyte.String) (List, error) {
	var n uint8
	if !s.ReadUint8(&n) {
		return nil, fmt.Errorf("extension count: %w", ErrTruncated)
	}
	l := make(List, 0, min(int(n), len(*s)/2))
	for range n {
		var e Extension
		if !s.ReadUint8(&e.Type) || !s.ReadUint8LengthPrefixed((*cryptobyte.String)(&e.Body)) {
			return nil, fmt.Errorf("extension: %w", ErrTruncated)
		}
		l = append(l, e)
	}
	return l, nil
}

// AppendTo appends the list to dst. What we send is canonical, "sent only once" and "in numerically ascending order by
// type", so anything else is ErrOrder.
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func (l List) AppendTo(dst []byte) ([]byte, error) {
	if len(l) > math.MaxUint8 {
		return nil, fmt.Errorf("extension count: %w", ErrTooLong)
	}
	dst = append(dst, byte(len(l)))
	for i, e := range l {
		if i > 0 && e.Type <= l[i-1].Type {
			return nil, fmt.Errorf("extension of type %d: %w", e.Type, ErrOrder)
		}
		if len(e.Body) > math.MaxUint8 {
			return nil, fmt.Errorf("extension of type %d: %w", e.Type, ErrTooLong)
		}
		dst = append(dst, e.Type, byte(len(e.Body)))
		dst = append(dst, e.Body...)
	}
	return dst, nil
}

// Get returns the body of the first extension of a type; "parties MUST ignore" any further ones.
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func (l List) Get(extType uint8) (body []byte, ok bool) {
	for _, e := range l {
		if e.Type == extType {
			return e.Body, true
		}
	}
	return nil, false
}
