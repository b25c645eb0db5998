package relaymsg

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tropea-net/tropea/internal/wire/circext"
)

// IntroduceStatus says what became of an introduction.
type IntroduceStatus uint16

// The statuses of the specification.
const (
	IntroduceOK          IntroduceStatus = 0
	IntroduceUnknownID   IntroduceStatus = 1 // no such service here, or too many introductions to it
	IntroduceBadFormat   IntroduceStatus = 2
	IntroduceCannotRelay IntroduceStatus = 3
)

// String is what the specification says of the status, or "status 77".
func (s IntroduceStatus) String() string {
	switch s {
	case IntroduceOK:
		return "success"
	case IntroduceUnknownID:
		return "service id not recognized"
	case IntroduceBadFormat:
		return "bad message format"
	case IntroduceCannotRelay:
		return "cannot relay to the service"
	}
	return "status " + strconv.Itoa(int(s))
}

// IntroduceAck is the answer of an introduction point to a client.
//
//	status 2 | list of extensions
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
type IntroduceAck struct {
	Status IntroduceStatus
	Exts   circext.List
}

// ParseIntroduceAck parses the body of an INTRODUCE_ACK message.
func ParseIntroduceAck(body []byte) (m IntroduceAck, err error) {
	s := cryptobyte.String(body)
	if !s.ReadUint16((*uint16)(&m.Status)) {
		return IntroduceAck{}, fmt.Errorf("INTRODUCE_ACK: %w", ErrTruncated)
	}
	if m.Exts, err = circext.Read(&s); err != nil {
		return IntroduceAck{}, fmt.Errorf("INTRODUCE_ACK %w", err)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m IntroduceAck) AppendTo(dst []byte) ([]byte, error) {
	dst, err := m.Exts.AppendTo(binary.BigEndian.AppendUint16(dst, uint16(m.Status)))
	if err != nil {
		return nil, fmt.Errorf("INTRODUCE_ACK %w", err)
	}
	return dst, nil
}
