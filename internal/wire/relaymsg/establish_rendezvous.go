package relaymsg

import "fmt"

// EstablishRendezvous makes a relay a rendezvous point.
//
//	cookie 20
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
type EstablishRendezvous struct {
	Cookie [20]byte
}

// ParseEstablishRendezvous parses the body of an ESTABLISH_RENDEZVOUS message. Bytes after the cookie are an error, as
// in C tor (rend_mid_establish_rendezvous).
func ParseEstablishRendezvous(body []byte) (m EstablishRendezvous, err error) {
	switch {
	case len(body) < len(m.Cookie):
		return EstablishRendezvous{}, fmt.Errorf("ESTABLISH_RENDEZVOUS: %w", ErrTruncated)
	case len(body) > len(m.Cookie):
		return EstablishRendezvous{}, fmt.Errorf("ESTABLISH_RENDEZVOUS: %w", ErrTooLong)
	}
	return EstablishRendezvous{[20]byte(body)}, nil
}

// AppendTo appends the body of m to dst.
func (m EstablishRendezvous) AppendTo(dst []byte) ([]byte, error) {
	return append(dst, m.Cookie[:]...), nil
}
