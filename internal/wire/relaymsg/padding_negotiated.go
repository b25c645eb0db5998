package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// PaddingNegotiated is the answer to PaddingNegotiate; a relay whose machine is done sends it unasked.
//
//	version 1 | command 1 | response 1 | machine type 1 | machine counter 4
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
type PaddingNegotiated struct {
	Command     uint8
	Response    uint8
	MachineType uint8
	MachineCtr  uint32
}

// ParsePaddingNegotiated parses the body of a PADDING_NEGOTIATED message.
func ParsePaddingNegotiated(body []byte) (m PaddingNegotiated, err error) {
	s := cryptobyte.String(body)
	if err := readPaddingVersion("PADDING_NEGOTIATED", &s); err != nil {
		return PaddingNegotiated{}, err
	}
	if !s.ReadUint8(&m.Command) || !s.ReadUint8(&m.Response) || !s.ReadUint8(&m.MachineType) || !s.ReadUint32(&m.MachineCtr) {
		return PaddingNegotiated{}, fmt.Errorf("PADDING_NEGOTIATED: %w", ErrTruncated)
	}
	if m.Command != PaddingStop && m.Command != PaddingStart || m.Response != PaddingOK && m.Response != PaddingErr {
		return PaddingNegotiated{}, fmt.Errorf("PADDING_NEGOTIATED command %d, response %d: %w", m.Command, m.Response, ErrMalformed)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m PaddingNegotiated) AppendTo(dst []byte) ([]byte, error) {
	dst = append(dst, paddingVersion, m.Command, m.Response, m.MachineType)
	return binary.BigEndian.AppendUint32(dst, m.MachineCtr), nil
}
