package protover

// What C tor 0.4.9.11 speaks, and so do we, and what its authorities vote for.
var (
	Supported = MustParse("Conflux=1 Cons=1-2 Desc=1-4 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=1-2 Link=3-5 " +
		"LinkAuth=3 Microdesc=1-3 Padding=2 Relay=2-6")

	RecommendedClient = MustParse("Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4 HSRend=2 Link=4-5 Microdesc=2 Relay=2-4")
	RecommendedRelay  = MustParse("Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=2 Link=4-5 LinkAuth=3 " +
		"Microdesc=2 Relay=2-4")
	RequiredClient = MustParse("Cons=2 Desc=2 FlowCtrl=1 Link=4 Microdesc=2 Relay=2")
	RequiredRelay  = MustParse("Cons=2 Desc=2 DirCache=2 FlowCtrl=1-2 HSDir=2 HSIntro=4-5 HSRend=2 Link=4-5 LinkAuth=3 " +
		"Microdesc=2 Relay=2-4")
)

// Caps is what a relay can do, as far as a choice of relays depends on it.
type Caps uint16

// The capabilities. Some need more than one subprotocol (memoize_protover_summary in C tor).
const (
	CapNtor              Caps = 1 << iota // ntor and EXTEND2
	CapIPv6Extend                         // extends over IPv6
	CapNtorV3                             // ntor v3
	CapCongestionControl                  // ntor v3 with Vegas
	CapConflux                            // legs of a conflux set may end here
	CapCGO                                // counter Galois onion, asked for with the subprotocol request
	CapEdLink                             // authenticates its link with its Ed25519 key
	CapHSDir                              // stores onion service descriptors
	CapHSIntro                            // introduction point of version 3
	CapHSIntroDoS                         // with DoS parameters in ESTABLISH_INTRO
	CapHSRend                             // rendezvous point of version 3
	CapHSPadding                          // machines that hide the setup of onion service circuits
	CapConsDiff                           // serves consensus diffs
)

// Caps derives the capabilities of a set.
func (s *Set) Caps() (c Caps) {
	set := func(bit Caps, ok bool) {
		if ok {
			c |= bit
		}
	}
	cc := s.Supports(FlowCtrl, 2)
	set(CapNtor, s.Supports(Relay, 2))
	set(CapIPv6Extend, s.Supports(Relay, 3))
	set(CapNtorV3, s.Supports(Relay, 4))
	set(CapCongestionControl, cc && s.Supports(Relay, 4))
	set(CapConflux, cc && s.Supports(Conflux, 1))
	set(CapCGO, cc && s.Supports(Relay, 5) && s.Supports(Relay, 6))
	set(CapEdLink, s.known[LinkAuth]&^maskOf(0, 2) != 0) // 3 or any later
	set(CapHSDir, s.Supports(HSDir, 2))
	set(CapHSIntro, s.Supports(HSIntro, 4))
	set(CapHSIntroDoS, s.Supports(HSIntro, 5))
	set(CapHSRend, s.Supports(HSRend, 2))
	set(CapHSPadding, s.Supports(Padding, 2))
	set(CapConsDiff, s.Supports(DirCache, 2))
	return c
}

// Has reports whether c has all of want.
func (c Caps) Has(want Caps) bool { return c&want == want }
