package linkspec

import (
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// ParseList takes a list of link specifiers off s. Bodies alias s. A known type with a wrong length is an error.
func ParseList(s *cryptobyte.String) ([]Spec, error) {
	var n uint8
	if !s.ReadUint8(&n) {
		return nil, fmt.Errorf("link specifier count: %w", ErrTruncated)
	}
	specs := make([]Spec, 0, min(int(n), len(*s)/2))
	for range n {
		var spec Spec
		if !s.ReadUint8(&spec.Type) || !s.ReadUint8LengthPrefixed((*cryptobyte.String)(&spec.Body)) {
			return nil, fmt.Errorf("link specifier: %w", ErrTruncated)
		}
		if err := spec.check(); err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// AppendList appends specs, as a list, to dst. The order is kept: lists that others made are passed on as they are.
func AppendList(dst []byte, specs []Spec) ([]byte, error) {
	if len(specs) > math.MaxUint8 {
		return nil, fmt.Errorf("link specifier count: %w", ErrTooLong)
	}
	dst = append(dst, byte(len(specs)))
	for _, spec := range specs {
		if err := spec.check(); err != nil {
			return nil, err
		}
		dst = append(dst, spec.Type, byte(len(spec.Body)))
		dst = append(dst, spec.Body...)
	}
	return dst, nil
}
