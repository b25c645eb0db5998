package admit

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/torversion"
)

// Config is the opinion of an authority's operator.
type Config struct {
	Own      [20]byte              // our own fingerprint
	Approved *approvedrouters.List // nil says nothing

	Reject, Invalid     AddressRule
	BadExit, MiddleOnly AddressRule
	Country             func(netip.Addr) string // nil, or two letters in lower case, "??" for not known

	PinKeys      bool // AuthDirPinKeys; else a new pair of identities replaces an old one
	MinVersion   torversion.Version
	AllowPrivate bool // DirAllowPrivateAddresses

	Limits Limits
}

// AddressRule is about the relays at some addresses.
type AddressRule struct {
	Policy    exitpolicy.Policy // it rejects whom it is about
	Countries []string          // two letters, of either case
}

func (r *AddressRule) has(at netip.AddrPort, country func(netip.Addr) string) bool {
	if len(r.Policy) > 0 && !accepts(r.Policy.Judge(at.Addr(), at.Port())) {
		return true
	}
	if len(r.Countries) == 0 {
		return false
	}
	where := "??"
	if country != nil {
		where = country(at.Addr())
	}
	return slices.ContainsFunc(r.Countries, func(c string) bool { return strings.EqualFold(c, where) })
}

func accepts(v exitpolicy.Verdict) bool {
	return v == exitpolicy.Accepted || v == exitpolicy.ProbablyAccepted
}

// Limits bound what uploads cost. A zero field stands for the default.
type Limits struct {
	// Documents to check for one source, an IPv4 address or an IPv6 network of 64 bits: each second, and at once.
	SourceRate, SourceBurst int
	// Documents to check for all sources that are no relay's that we know.
	StrangerRate, StrangerBurst int
	// HeldBytes bounds the memory for the descriptors of all relays.
	HeldBytes int
}

// The defaults. To check a document takes a third of a millisecond, so that strangers get a sixtieth of a processor in the
// long run; the public network has some 10,000 relays, whose descriptors take some 10 KB each and come twice a day.
var defaultLimits = Limits{SourceRate: 5, SourceBurst: 500, StrangerRate: 50, StrangerBurst: 2000, HeldBytes: 512 << 20}

func (l Limits) orDefaults() Limits {
	for _, f := range []struct {
		n   *int
		def int
	}{
		{&l.SourceRate, defaultLimits.SourceRate}, {&l.SourceBurst, defaultLimits.SourceBurst},
		{&l.StrangerRate, defaultLimits.StrangerRate}, {&l.StrangerBurst, defaultLimits.StrangerBurst},
		{&l.HeldBytes, defaultLimits.HeldBytes},
	} {
		if *f.n == 0 {
			*f.n = f.def
		}
	}
	return l
}
