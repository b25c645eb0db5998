package circext

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// TypeIntroDoS is the type of the limits that a service sets, in ESTABLISH_INTRO.
const TypeIntroDoS uint8 = 1

// Parameters in IntroDoS.
const (
	introDoSRate  = 1
	introDoSBurst = 2
)

// IntroDoS tells an introduction point how many introductions it may pass on. It overrides the consensus; values that
// make no sense turn the limits off, which is for the introduction point to decide.
//
//	n 1 | n times: parameter 1 | value 8        parameters: 1 rate, 2 burst
//
// https://spec.torproject.org/rend-spec/introduction-protocol.html
type IntroDoS struct {
	Rate  uint64 // INTRODUCE2 messages a second; 0 if not given
	Burst uint64 // the same, in a burst
}

// ParseIntroDoS parses the body of the limits. An unknown parameter is an error, as in C tor
// (handle_establish_intro_cell_dos_extension); of a repeated one the last value counts.
func ParseIntroDoS(body []byte) (m IntroDoS, err error) {
	s := cryptobyte.String(body)
	var n uint8
	if !s.ReadUint8(&n) {
		return IntroDoS{}, fmt.Errorf("introduction limits: %w", ErrTruncated)
	}
	for range n {
		var param uint8
		var value uint64
		if !s.ReadUint8(&param) || !s.ReadUint64(&value) {
			return IntroDoS{}, fmt.Errorf("introduction limits: %w", ErrTruncated)
		}
		switch param {
		case introDoSRate:
			m.Rate = value
		case introDoSBurst:
			m.Burst = value
		default:
			return IntroDoS{}, fmt.Errorf("introduction limit %d: %w", param, ErrMalformed)
		}
	}
	return m, nil
}

// Extension is m as an extension.
func (m IntroDoS) Extension() Extension {
	body := []byte{2, introDoSRate}
	body = binary.BigEndian.AppendUint64(body, m.Rate)
	body = append(body, introDoSBurst)
	return Extension{Type: TypeIntroDoS, Body: binary.BigEndian.AppendUint64(body, m.Burst)}
}
