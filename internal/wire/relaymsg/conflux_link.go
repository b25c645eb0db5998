package relaymsg

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// confluxVersion is the one version of CONFLUX_LINK and CONFLUX_LINKED.
const confluxVersion = 1

// ConfluxUX is what the sender wants of the other end's choice of legs.
type ConfluxUX uint8

// The wishes that there are.
const (
	UXNoOpinion        ConfluxUX = 0
	UXMinLatency       ConfluxUX = 1
	UXLowMemLatency    ConfluxUX = 2
	UXHighThroughput   ConfluxUX = 3
	UXLowMemThroughput ConfluxUX = 4
)

// ConfluxLink is the body of CONFLUX_LINK, which makes a circuit a leg of a set, and of CONFLUX_LINKED, which agrees.
//
//	version 1 | nonce 32 | last sequence number sent 8 | last received 8 | desired UX 1
//
// https://spec.torproject.org/proposals/329-traffic-splitting.html
type ConfluxLink struct {
	Nonce    [32]byte // names the set; to be compared whole and in constant time
	LastSent uint64
	LastRecv uint64
	UX       ConfluxUX
}

// ParseConfluxLink parses the body of a CONFLUX_LINK or CONFLUX_LINKED message.
func ParseConfluxLink(body []byte) (m ConfluxLink, err error) {
	s := cryptobyte.String(body)
	var version uint8
	if !s.ReadUint8(&version) {
		return ConfluxLink{}, fmt.Errorf("conflux link: %w", ErrTruncated)
	}
	if version != confluxVersion {
		return ConfluxLink{}, fmt.Errorf("conflux link %d: %w", version, ErrVersion)
	}
	if !s.CopyBytes(m.Nonce[:]) || !s.ReadUint64(&m.LastSent) || !s.ReadUint64(&m.LastRecv) || !s.ReadUint8((*uint8)(&m.UX)) {
		return ConfluxLink{}, fmt.Errorf("conflux link: %w", ErrTruncated)
	}
	if m.UX > UXLowMemThroughput {
		return ConfluxLink{}, fmt.Errorf("conflux link with UX %d: %w", m.UX, ErrMalformed)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m ConfluxLink) AppendTo(dst []byte) ([]byte, error) {
	if m.UX > UXLowMemThroughput {
		return nil, fmt.Errorf("conflux link with UX %d: %w", m.UX, ErrMalformed)
	}
	dst = append(dst, confluxVersion)
	dst = append(dst, m.Nonce[:]...)
	dst = binary.BigEndian.AppendUint64(dst, m.LastSent)
	dst = binary.BigEndian.AppendUint64(dst, m.LastRecv)
	return append(dst, byte(m.UX)), nil
}
