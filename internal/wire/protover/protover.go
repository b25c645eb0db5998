// Package protover holds sets of subprotocol versions: what a node speaks, and what the network recommends and requires.
//
// https://spec.torproject.org/tor-spec/subprotocol-versioning.html
package protover

import "errors"

// Protocol is one of the subprotocols that this version knows.
type Protocol uint8

// The known subprotocols, in the byte order of their names, which is the order in lists.
const (
	Conflux   Protocol = iota // 1: traffic splitting
	Cons                      // consensus document; 2: Ed25519 ids
	Desc                      // router descriptor; 2: Ed25519, 3: no TAP key needed, 4: family certificates
	DirCache                  // 2: consensus diffs
	FlowCtrl                  // 1: authenticated SENDME, 2: congestion control
	HSDir                     // 2: onion service directory, version 3
	HSIntro                   // 4: introduction point of version 3, 5: DoS extension in ESTABLISH_INTRO
	HSRend                    // 1: rendezvous point, 2: RENDEZVOUS2 of any length
	Link                      // 3: in-protocol handshake, 4: circuit ids of 4 bytes, 5: padding negotiation
	LinkAuth                  // 3: Ed25519 with an RFC 5705 exporter
	Microdesc                 // 2: Ed25519 ids, 3: no TAP key needed
	Padding                   // 2: machines that hide onion service circuits
	Relay                     // 2: ntor, 3: IPv6 extends, 4: ntor v3, 5: subprotocol request, 6: CGO
	numKnown
)

var names = [numKnown]string{"Conflux", "Cons", "Desc", "DirCache", "FlowCtrl", "HSDir", "HSIntro", "HSRend", "Link",
	"LinkAuth", "Microdesc", "Padding", "Relay"}

// String is the name in lists.
func (p Protocol) String() string {
	if p < numKnown {
		return names[p]
	}
	return "unknown"
}

// known finds the protocol of a name.
func known(name []byte) (Protocol, bool) {
	for p, s := range names {
		if string(name) == s {
			return Protocol(p), true
		}
	}
	return 0, false
}

// Limits of a list. C tor knows those of versions and names; the one of the text keeps a set that a stranger sent small.
const (
	MaxVersion = 63
	MaxNameLen = 100  // bytes
	MaxTextLen = 8192 // bytes
)

// What can be wrong with a list.
var (
	ErrTooLong = errors.New("protocol list too long")
	ErrSyntax  = errors.New("malformed protocol list")
)

// Mask has bit v set for version v.
type Mask uint64

// maskOf has the versions low to high, both at most MaxVersion.
func maskOf(low, high uint) Mask { return ^Mask(0) >> (MaxVersion - high) &^ (1<<low - 1) }

// A Set is a set of subprotocol versions. Sets are equal if == says so; the zero Set is empty.
type Set struct {
	known [numKnown]Mask
	other string // canonical list of the protocols that we do not know, sorted by name
}

// Mask returns all versions of a protocol.
func (s *Set) Mask(p Protocol) Mask { return s.known[p] }

// Supports reports whether the set has version v of p.
func (s *Set) Supports(p Protocol, v uint) bool { return v <= MaxVersion && s.known[p]>>v&1 != 0 }

// IsEmpty reports whether the set has no version of any protocol.
func (s *Set) IsEmpty() bool { return *s == Set{} }

// Missing returns what required has and s has not; it is empty if s supports all.
func (s *Set) Missing(required *Set) (missing Set) {
	for p := range s.known {
		missing.known[p] = required.known[p] &^ s.known[p]
	}
	if required.other != "" {
		mine := others(s.other)
		var left []entry
		for _, e := range others(required.other) {
			if e.versions &^= find(mine, e.name); e.versions != 0 {
				left = append(left, e)
			}
		}
		missing.other = joinEntries(left)
	}
	return missing
}
