package relaymsg

import "github.com/tropea-net/tropea/internal/wire/cell"

// Truncate asks a relay to close the circuit beyond itself.
//
//	reason 1
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
type Truncate struct {
	Reason cell.DestroyReason
}

// ParseTruncate parses the body of a TRUNCATE message. An empty body gives no reason; there is no body that is wrong.
func ParseTruncate(body []byte) (Truncate, error) {
	reason, err := cell.ParseDestroy(body)
	return Truncate(reason), err
}

// AppendTo appends the body of m to dst.
func (m Truncate) AppendTo(dst []byte) ([]byte, error) { return cell.Destroy(m).AppendTo(dst) }
