package consensus

import (
	"errors"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// Limits of a document. The network of today has 9 authorities and 9,000 relays in 3 MB.
const (
	MaxLen        = 64 << 20 // bytes
	maxDirSources = 256
	maxSignatures = 1024 // items, those that we skip included
	maxFlags      = 1024 // known-flags is the union of the flags in all votes, each at most 64
)

// What can be wrong with a consensus, besides the errors of package netdoc.
var (
	ErrNoConsensus = errors.New("no consensus of version 3")
	ErrFlavor      = errors.New("unknown flavor")
	ErrOrder       = errors.New("not in order")
	ErrTimes       = errors.New("times contradict each other")
	ErrSigner      = errors.New("signature of no listed authority")
	ErrUnsigned    = errors.New("no signature that we understand")
)

// Flavor is a form of consensus.
type Flavor uint8

// The flavors.
const (
	NS        Flavor = iota // lists digests of router descriptors
	Microdesc               // lists digests of microdescriptors
)

// String is the name in requests and documents.
func (f Flavor) String() string {
	if f == Microdesc {
		return "microdesc"
	}
	return "ns"
}

// A Consensus is a whole document. It shares no memory with the text that it was parsed from.
type Consensus struct {
	Flavor Flavor
	Method int

	ValidAfter, FreshUntil, ValidUntil time.Time
	VoteDelay, DistDelay               time.Duration // whole seconds

	ClientVersions, ServerVersions []string // recommended
	Packages                       []string // arguments of package lines; none from method 34 on
	KnownFlags                     []string // ascending

	RecommendedClient, RecommendedRelay protover.Set
	RequiredClient, RequiredRelay       protover.Set

	Params                  params.List
	PreviousSRV, CurrentSRV *SRV // nil if the authorities did not agree on one

	Sources    []DirSource
	Relays     []RouterStatus // strictly ascending by ID
	Weights    params.List    // bandwidth-weights
	Signatures []Signature

	Digests Digests // set by Parse
}

// An SRV is a shared random value.
//
// https://spec.torproject.org/srv-spec/
type SRV struct {
	Reveals uint64 // how many authorities contributed
	Value   [32]byte
}

// A DirSource is an authority whose vote went into the consensus.
type DirSource struct {
	Nickname   string
	Identity   [20]byte // SHA-1 of its identity key
	Hostname   string
	Addr       netip.Addr // IPv4
	DirPort    uint16
	ORPort     uint16
	Legacy     bool // stands for an old identity key: neither contact nor digest
	Contact    string
	VoteDigest [20]byte
}

// Relay finds the entry of a relay by its RSA identity, nil if it has none.
func (c *Consensus) Relay(id *[20]byte) *RouterStatus {
	low, high := 0, len(c.Relays)
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch compareID(&c.Relays[mid].ID, id) {
		case 0:
			return &c.Relays[mid]
		case -1:
			low = mid + 1
		default:
			high = mid
		}
	}
	return nil
}
