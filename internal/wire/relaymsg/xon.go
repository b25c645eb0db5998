package relaymsg

import (
	"encoding/binary"
	"fmt"
)

// Xon lets the other end of a stream send, at no more than a rate.
//
//	version 1 | rate 4
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type Xon struct {
	KBps uint32 // 1000 bytes a second; 0 for no limit
}

// ParseXon parses the body of an XON message.
func ParseXon(body []byte) (Xon, error) {
	rate, err := cutFlowVersion("XON", body)
	if err != nil {
		return Xon{}, err
	}
	if len(rate) < 4 {
		return Xon{}, fmt.Errorf("XON rate: %w", ErrTruncated)
	}
	return Xon{KBps: binary.BigEndian.Uint32(rate)}, nil
}

// AppendTo appends the body of m to dst.
func (m Xon) AppendTo(dst []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(append(dst, flowVersion), m.KBps), nil
}
