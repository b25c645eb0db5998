package relaymsg

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
)

// Types of answers in RESOLVED.
const (
	AnswerName           uint8 = 0x00
	AnswerIPv4           uint8 = 0x04
	AnswerIPv6           uint8 = 0x06
	AnswerErrorTransient uint8 = 0xf0 // may be better later
	AnswerError          uint8 = 0xf1 // will not
)

// Answer is one answer to a look-up.
type Answer struct {
	Type uint8
	Addr netip.Addr // for AnswerIPv4 and AnswerIPv6
	Name string     // for AnswerName
	TTL  uint32     // seconds for which the answer may be cached
}

// Resolved has the answers to Resolve.
//
//	repeated to the end: type 1 | length 1 | value | TTL 4
//
// https://spec.torproject.org/tor-spec/remote-hostname-lookup.html
type Resolved struct {
	Answers []Answer
}

// ParseResolved parses the body of a RESOLVED message. Answers of unknown types are left out, as is the text of errors.
func ParseResolved(body []byte) (m Resolved, err error) {
	s := cryptobyte.String(body)
	for !s.Empty() {
		var a Answer
		var value cryptobyte.String
		if !s.ReadUint8(&a.Type) || !s.ReadUint8LengthPrefixed(&value) || !s.ReadUint32(&a.TTL) {
			return Resolved{}, fmt.Errorf("RESOLVED answer: %w", ErrTruncated)
		}
		switch a.Type {
		case AnswerIPv4, AnswerIPv6:
			a.Addr, _ = netip.AddrFromSlice(value)
		case AnswerName:
			a.Name = string(value)
		case AnswerErrorTransient, AnswerError:
		default:
			continue
		}
		if err := a.check(); err != nil {
			return Resolved{}, err
		}
		m.Answers = append(m.Answers, a)
	}
	return m, nil
}

// check tells whether an answer has what its type needs.
func (a Answer) check() error {
	var err error
	switch a.Type {
	case AnswerIPv4:
		if !a.Addr.Is4() {
			err = ErrMalformed
		}
	case AnswerIPv6:
		if !a.Addr.Is6() {
			err = ErrMalformed
		}
	case AnswerName:
		if err = checkName(a.Name); a.Name == "" {
			err = ErrMalformed
		}
	case AnswerErrorTransient, AnswerError:
	default:
		err = ErrMalformed
	}
	if err != nil {
		return fmt.Errorf("RESOLVED answer of type %#x: %w", a.Type, err)
	}
	return nil
}

// AppendTo appends the body of m to dst. It is for the caller to put an IPv4 answer first, if there is any, and to send no
// other answer with an error.
func (m Resolved) AppendTo(dst []byte) ([]byte, error) {
	for _, a := range m.Answers {
		if err := a.check(); err != nil {
			return nil, err
		}
		var value []byte
		switch a.Type {
		case AnswerIPv4, AnswerIPv6:
			value = a.Addr.WithZone("").AsSlice()
		case AnswerName:
			value = []byte(a.Name)
		}
		dst = append(dst, a.Type, byte(len(value)))
		dst = append(dst, value...)
		dst = binary.BigEndian.AppendUint32(dst, a.TTL)
	}
	return dst, nil
}
