package circext

import (
	"fmt"
	"math"
)

// TypeSubprotocols is the type of the extension that asks for capabilities.
const TypeSubprotocols uint8 = 3

// Capability is one version of one subprotocol, such as Relay=6.
type Capability struct {
	Protocol uint8 // 2 is Relay
	Version  uint8
}

// CGO is Relay=6, Counter Galois Onion. It is the only capability that may be asked for today.
// https://spec.torproject.org/proposals/359-cgo-redux.html
var CGO = Capability{Protocol: 2, Version: 6}

// before reports whether c comes before d in a request.
func (c Capability) before(d Capability) bool {
	return c.Protocol < d.Protocol || c.Protocol == d.Protocol && c.Version < d.Version
}

// Subprotocols asks for capabilities. Whoever gets a request with a capability that may not be asked for, or that it
// cannot grant, fails the handshake.
//
//	protocol 1 | version 1, repeated to the end, strictly ascending
//
// https://spec.torproject.org/proposals/346-protovers-again.html
type Subprotocols []Capability

// ParseSubprotocols parses the body of a subprotocol request.
func ParseSubprotocols(body []byte) (Subprotocols, error) {
	if len(body)%2 != 0 {
		return nil, fmt.Errorf("subprotocol request: %w", ErrTruncated)
	}
	m := make(Subprotocols, 0, len(body)/2)
	for ; len(body) > 0; body = body[2:] {
		m = append(m, Capability{body[0], body[1]})
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m Subprotocols) check() error {
	for i := 1; i < len(m); i++ {
		if !m[i-1].before(m[i]) {
			return fmt.Errorf("subprotocol request: %w", ErrOrder)
		}
	}
	return nil
}

// Extension is m as an extension.
func (m Subprotocols) Extension() (Extension, error) {
	if err := m.check(); err != nil {
		return Extension{}, err
	}
	if len(m) > math.MaxUint8/2 {
		return Extension{}, fmt.Errorf("subprotocol request: %w", ErrTooLong)
	}
	body := make([]byte, 0, 2*len(m))
	for _, c := range m {
		body = append(body, c.Protocol, c.Version)
	}
	return Extension{Type: TypeSubprotocols, Body: body}, nil
}
