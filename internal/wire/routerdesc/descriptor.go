package routerdesc

import (
	"crypto/rsa"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
)

// MaxLen bounds a router descriptor, in bytes. Authorities take less: MaxUpload.
const (
	MaxLen    = 128 << 10
	MaxUpload = 20000 // descriptor and extra-info document each
)

// Descriptor is a router descriptor.
type Descriptor struct {
	Nickname string
	OR       netip.AddrPort // IPv4
	OR6      netip.AddrPort // IPv6; invalid if none
	DirPort  uint16         // at the address of OR; 0 if none

	Identity   *rsa.PublicKey
	RSA        [20]byte // fingerprint of Identity
	Ed25519    [32]byte // identity
	SigningKey [32]byte // Ed25519, certified by the identity
	Ntor       [32]byte // onion key
	OnionKey   []byte   // TAP key in DER, which nobody uses any more; nil if none

	Published time.Time
	// KeysExpire is when the first of the certificates of SigningKey and Ntor expires. The descriptor is worth nothing
	// after that.
	KeysExpire time.Time

	Platform  string // such as "Tor 0.4.9.11 on Linux"
	Protocols string // for package protover
	Contact   string
	Bandwidth Bandwidth
	Uptime    time.Duration

	ExtraInfo    [20]byte // SHA-1 digest of the extra-info document; zero if none
	ExtraInfo256 [32]byte // its SHA-256 digest; zero if none

	Hibernating     bool
	CachesExtraInfo bool
	HSDir           bool // wants to hold onion service descriptors
	DirCache        bool // answers directory requests in BEGIN_DIR streams
	SingleHopExit   bool // obsolete; such relays are not to be used

	Family        []string  // other members, by fingerprint or nickname
	FamilyIDs     []string  // of the families whose keys certify this relay; sorted, each once
	FamilyExpires time.Time // when the first of their certificates does; zero without FamilyIDs

	Policy  exitpolicy.Policy  // IPv4
	Policy6 exitpolicy.Summary // IPv6

	BridgeDistribution string    // how a bridge wants to be given out; empty if not told
	OverloadGeneral    time.Time // when the relay was last overloaded; zero if not told

	Digest [20]byte // SHA-1 of the text without the RSA signature; names the descriptor
	Text   []byte   // the whole descriptor; aliases what was parsed
}

// Bandwidth is what a relay says of its capacity, in bytes per second.
type Bandwidth struct {
	Rate, Burst uint32 // what its operator allows
	Observed    uint32 // what it has done
}

// RejectsAll reports whether the relay surely is no exit.
func (d *Descriptor) RejectsAll() bool {
	return d.Policy.RejectsAll(false, true) && d.Policy6.RejectsAll()
}
