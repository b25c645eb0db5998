package vote

import (
	"errors"
	"iter"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// Limits of a vote.
const (
	MaxLen     = 1<<24 - 1 // bytes; C tor takes no longer upload
	maxFlags   = 64        // bits of Flags
	maxMethods = 1000
	maxCommits = 256
	minDelay   = 2 * time.Second // of votes and of signatures

	maxVersionLen = 120 // bytes of a v line's version, in votes that we write
)

// MinInterval is the shortest time from one consensus to the next, in the public network and in test networks.
const (
	MinInterval        = 5 * time.Minute
	MinIntervalTesting = 10 * time.Second
)

// What can be wrong with a vote, besides the errors of package netdoc.
var (
	ErrNoVote   = errors.New("no vote of version 3")
	ErrOrder    = errors.New("not in order")
	ErrTimes    = errors.New("times too close together")
	ErrIdentity = errors.New("not the identity of the certificate")
	ErrFlag     = errors.New("flag is not in known-flags")
	ErrTwice    = errors.New("Ed25519 identity comes twice")
)

// A Vote is what one authority thinks of the network.
type Vote struct {
	Methods []int // consensus methods that the authority knows, ascending

	Published, ValidAfter, FreshUntil, ValidUntil time.Time
	VoteDelay, DistDelay                          time.Duration // whole seconds

	ClientVersions, ServerVersions []string // recommended; nil if the authority has no opinion
	Packages                       []string // arguments of package lines, which nobody writes any more

	RecommendedClient, RecommendedRelay protover.Set
	RequiredClient, RequiredRelay       protover.Set

	KnownFlags     []string // flags that the authority votes about, ascending
	FlagThresholds string   // what a relay needs for which flag; for statistics
	Params         params.List

	Bandwidths *BandwidthFile // nil if no bandwidth authority belongs to this one

	Source       consensus.DirSource // VoteDigest is set by Parse
	LegacyKey    [20]byte            // an older identity, which the authority has also signatures for; zero if none
	SharedRandom *SharedRandom       // nil if the authority does not take part
	Cert         *authcert.Cert

	Relays []Relay // strictly ascending by Status.ID
}

// A BandwidthFile tells where the measured bandwidths of a vote come from; for statistics.
type BandwidthFile struct {
	Headers string   // key=value, separated by spaces
	Digest  [32]byte // SHA-256 of the file; zero if it could not be read
}

// Flags is a set of flags of a relay in one vote: bit i stands for KnownFlags[i].
type Flags uint64

// FlagsOf returns the set of the flags that have these names. Names that are not in KnownFlags are left out.
func (v *Vote) FlagsOf(names ...string) (f Flags) {
	for i, known := range v.KnownFlags {
		for _, name := range names {
			if name == known {
				f |= 1 << i
			}
		}
	}
	return f
}

// A Relay is the entry of one relay.
type Relay struct {
	// Status has what entries of consensuses have too. Digest is that of the router descriptor, as in the ns flavor;
	// Flags and Unmeasured are not used.
	Status consensus.RouterStatus
	Flags  Flags

	HasMeasured bool
	HasEd25519  bool     // the authority says what the Ed25519 identity is, or that there is none
	Measured    uint32   // by a bandwidth authority, in kilobytes per second
	Ed25519     [32]byte // zero if there is none

	// MeasuredAuthority is the measured bandwidth of a relay that is a directory authority, which gets no Measured so that
	// it has time for that; for statistics.
	MeasuredAuthority uint32

	Microdescs []Microdesc
	Stats      string // how the authority knows the relay; see FormatStats
}

// A Microdesc is the digest of the microdescriptor that an entry has with some consensus methods.
type Microdesc struct {
	Methods uint64 // bit m is set for method m; higher methods are dropped
	Digest  [32]byte
}

// Microdesc returns the digest of the microdescriptor for a method; ok is false if the vote has none.
func (r *Relay) Microdesc(method int) (digest [32]byte, ok bool) {
	for i := len(r.Microdescs) - 1; i >= 0; i-- { // C tor finds the last line first
		if m := &r.Microdescs[i]; m.Methods>>method&1 != 0 {
			return m.Digest, m.Digest != [32]byte{}
		}
	}
	return digest, false
}

// Measures reports whether the vote has measured bandwidths.
func (v *Vote) Measures() bool {
	for i := range v.Relays {
		if v.Relays[i].HasMeasured {
			return true
		}
	}
	return false
}

// Split yields the votes of a file or of a response, which has them one behind the other.
func Split(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for e := range doclist.Split(data, kwVersion) {
			if !yield(e.Text) {
				return
			}
		}
	}
}
