package relaymsg

import "fmt"

// flowVersion is the one version of XOFF and XON.
const flowVersion = 0

// Xoff asks the other end of a stream to stop sending.
//
//	version 1
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type Xoff struct{}

// ParseXoff parses the body of an XOFF message.
func ParseXoff(body []byte) (Xoff, error) {
	_, err := cutFlowVersion("XOFF", body)
	return Xoff{}, err
}

// cutFlowVersion takes the version off the body of XOFF or XON.
func cutFlowVersion(name string, body []byte) (rest []byte, err error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrTruncated)
	}
	if body[0] != flowVersion {
		return nil, fmt.Errorf("%s %d: %w", name, body[0], ErrVersion)
	}
	return body[1:], nil
}

// AppendTo appends the body of m to dst.
func (m Xoff) AppendTo(dst []byte) ([]byte, error) { return append(dst, flowVersion), nil }
