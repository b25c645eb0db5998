package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// paddingVersion is the one version of PADDING_NEGOTIATE and PADDING_NEGOTIATED.
const paddingVersion = 0

// Commands and responses in PADDING_NEGOTIATE and PADDING_NEGOTIATED.
const (
	PaddingStop  uint8 = 1
	PaddingStart uint8 = 2

	PaddingOK  uint8 = 1
	PaddingErr uint8 = 2
)

// PaddingNegotiate asks a relay to start or stop a padding machine on the circuit.
//
//	version 1 | command 1 | machine type 1 | echo request 1 | machine counter 4
//
// https://spec.torproject.org/padding-spec/circuit-level-padding.html
type PaddingNegotiate struct {
	Command     uint8
	MachineType uint8
	EchoRequest bool
	MachineCtr  uint32 // tells this instance of the machine from earlier ones on the circuit
}

// ParsePaddingNegotiate parses the body of a PADDING_NEGOTIATE message.
func ParsePaddingNegotiate(body []byte) (m PaddingNegotiate, err error) {
	s := cryptobyte.String(body)
	if err := readPaddingVersion("PADDING_NEGOTIATE", &s); err != nil {
		return PaddingNegotiate{}, err
	}
	var echo uint8
	if !s.ReadUint8(&m.Command) || !s.ReadUint8(&m.MachineType) || !s.ReadUint8(&echo) || !s.ReadUint32(&m.MachineCtr) {
		return PaddingNegotiate{}, fmt.Errorf("PADDING_NEGOTIATE: %w", ErrTruncated)
	}
	if m.Command != PaddingStop && m.Command != PaddingStart || echo > 1 {
		return PaddingNegotiate{}, fmt.Errorf("PADDING_NEGOTIATE command %d, echo %d: %w", m.Command, echo, ErrMalformed)
	}
	m.EchoRequest = echo == 1
	return m, nil
}

// readPaddingVersion takes the version off s.
func readPaddingVersion(name string, s *cryptobyte.String) error {
	var version uint8
	if !s.ReadUint8(&version) {
		return fmt.Errorf("%s: %w", name, ErrTruncated)
	}
	if version != paddingVersion {
		return fmt.Errorf("%s %d: %w", name, version, ErrVersion)
	}
	return nil
}

// AppendTo appends the body of m to dst.
func (m PaddingNegotiate) AppendTo(dst []byte) ([]byte, error) {
	var echo uint8
	if m.EchoRequest {
		echo = 1
	}
	dst = append(dst, paddingVersion, m.Command, m.MachineType, echo)
	return binary.BigEndian.AppendUint32(dst, m.MachineCtr), nil
}
