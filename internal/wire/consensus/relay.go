package consensus

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/protover"
)

// MaxNicknameLen bounds the names of relays.
const MaxNicknameLen = 19

// A RouterStatus is the entry of one relay.
type RouterStatus struct {
	ID     [20]byte // SHA-1 of the RSA identity key
	Digest [32]byte // SHA-256 of the microdescriptor; in the ns flavor SHA-1 of the router descriptor in the first 20 bytes

	nick    [MaxNicknameLen]byte
	nickLen uint8

	Addr6   [16]byte // zero if there is none
	Addr4   [4]byte
	ORPort  uint16 // of Addr4
	DirPort uint16
	ORPort6 uint16

	GuardFraction    uint8 // percent
	HasGuardFraction bool
	HasBandwidth     bool
	Unmeasured       bool   // fewer than three bandwidth authorities measured it
	Bandwidth        uint32 // consensus weight, in kilobytes per second

	Published int64 // Unix time; in the microdesc flavor it is 2038-01-01 from method 33 on
	Flags     Flags

	Protos  *Protos // never nil; shared by all entries with the same line
	Version string  // such as "Tor 0.4.9.11"; may be empty
	Policy  string  // summary of the exit policy, such as "accept 80,443"; ns flavor only
}

// Protos is a pr line.
type Protos struct {
	Text string // as the relay wrote it
	Set  protover.Set
	Caps protover.Caps
}

// NewProtos parses the arguments of a pr line.
func NewProtos(text string) (*Protos, error) {
	set, err := protover.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return &Protos{Text: text, Set: set, Caps: set.Caps()}, nil
}

// Nickname is the name of the relay.
func (r *RouterStatus) Nickname() string { return string(r.nick[:r.nickLen]) }

// SetNickname names the relay; it reports whether a relay may have this name.
func (r *RouterStatus) SetNickname(name string) bool { return r.setNickname([]byte(name)) }

func (r *RouterStatus) setNickname(name []byte) bool {
	if len(name) == 0 || len(name) > MaxNicknameLen {
		return false
	}
	for _, c := range name {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	r.nickLen = uint8(copy(r.nick[:], name))
	return true
}

// IPv4 is the main OR address. It is not valid if the entry has none that could be dialed.
func (r *RouterStatus) IPv4() netip.AddrPort {
	if r.Addr4 == [4]byte{} || r.ORPort == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4(r.Addr4), r.ORPort)
}

// IPv6 is the other OR address. It is not valid if the entry has none that could be dialed.
func (r *RouterStatus) IPv6() netip.AddrPort {
	if r.Addr6 == [16]byte{} || r.ORPort6 == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(r.Addr6), r.ORPort6)
}

// PublishedTime is when the relay published its descriptor.
func (r *RouterStatus) PublishedTime() time.Time { return time.Unix(r.Published, 0).UTC() }

// compareID orders identities.
func compareID(a, b *[20]byte) int { return bytes.Compare(a[:], b[:]) }
