package relaymsg

import "github.com/tropea-net/tropea/internal/wire/cell"

// Truncated says that the circuit beyond a relay has been closed.
//
//	reason 1
//
// https://spec.torproject.org/tor-spec/tearing-down-circuits.html
type Truncated struct {
	Reason cell.DestroyReason
}

// ParseTruncated parses the body of a TRUNCATED message. An empty body gives no reason; there is no body that is wrong.
func ParseTruncated(body []byte) (Truncated, error) {
	reason, err := cell.ParseDestroy(body)
	return Truncated(reason), err
}

// AppendTo appends the body of m to dst.
func (m Truncated) AppendTo(dst []byte) ([]byte, error) { return cell.Destroy(m).AppendTo(dst) }
