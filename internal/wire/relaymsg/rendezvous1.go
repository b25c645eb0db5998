package relaymsg

import "fmt"

// Rendezvous1 brings a service's half of the handshake to the rendezvous point, which joins the circuits and passes the
// handshake on as Rendezvous2.
//
//	cookie 20 | handshake, to the end
//
// https://spec.torproject.org/rend-spec/rendezvous-protocol.html
type Rendezvous1 struct {
	Cookie    [20]byte
	Handshake []byte
}

// ParseRendezvous1 parses the body of a RENDEZVOUS1 message.
func ParseRendezvous1(body []byte) (m Rendezvous1, err error) {
	n := copy(m.Cookie[:], body)
	if n < len(m.Cookie) {
		return Rendezvous1{}, fmt.Errorf("RENDEZVOUS1: %w", ErrTruncated)
	}
	m.Handshake = body[n:]
	return m, nil
}

// AppendTo appends the body of m to dst. It keeps to MaxHSBody, so that both circuits may have any format.
func (m Rendezvous1) AppendTo(dst []byte) ([]byte, error) {
	if len(m.Cookie)+len(m.Handshake) > MaxHSBody {
		return nil, fmt.Errorf("RENDEZVOUS1: %w", ErrTooLong)
	}
	dst = append(dst, m.Cookie[:]...)
	return append(dst, m.Handshake...), nil
}
