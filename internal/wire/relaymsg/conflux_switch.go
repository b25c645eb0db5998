package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// ConfluxSwitch says that the sender goes on with the leg that the message came on.
//
//	sequence numbers skipped on this leg 4
//
// https://spec.torproject.org/proposals/329-traffic-splitting.html
type ConfluxSwitch struct {
	RelativeSeq uint32
}

// ParseConfluxSwitch parses the body of a CONFLUX_SWITCH message.
func ParseConfluxSwitch(body []byte) (m ConfluxSwitch, err error) {
	s := cryptobyte.String(body)
	if !s.ReadUint32(&m.RelativeSeq) {
		return ConfluxSwitch{}, fmt.Errorf("CONFLUX_SWITCH: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m ConfluxSwitch) AppendTo(dst []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, m.RelativeSeq), nil
}
