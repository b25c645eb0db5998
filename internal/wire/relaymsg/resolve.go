package relaymsg

import (
	"bytes"
	"fmt"
)

// Resolve asks an exit for the addresses of a name, or for the name of an address, which is then written as by
// ReverseName.
//
//	name | NUL
//
// https://spec.torproject.org/tor-spec/remote-hostname-lookup.html
type Resolve struct {
	Name string
}

// ParseResolve parses the body of a RESOLVE message.
func ParseResolve(body []byte) (Resolve, error) {
	nul := bytes.IndexByte(body, 0)
	if nul < 0 {
		return Resolve{}, fmt.Errorf("RESOLVE name without NUL: %w", ErrTruncated)
	}
	m := Resolve{Name: string(body[:nul])}
	if err := m.check(); err != nil {
		return Resolve{}, err
	}
	return m, nil
}

func (m Resolve) check() error {
	if m.Name == "" {
		return fmt.Errorf("RESOLVE without a name: %w", ErrMalformed)
	}
	if err := checkName(m.Name); err != nil {
		return fmt.Errorf("RESOLVE name: %w", err)
	}
	return nil
}

// AppendTo appends the body of m to dst.
func (m Resolve) AppendTo(dst []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	dst = append(dst, m.Name...)
	return append(dst, 0), nil
}
