package keypin

// Pins are the pairs that are known. An identity of either kind is in one pair at most. It is not safe for concurrent use.
type Pins struct {
	byRSA     map[[20]byte][32]byte
	byEd25519 map[[32]byte][20]byte
}

// New returns an empty set.
func New() *Pins { return &Pins{map[[20]byte][32]byte{}, map[[32]byte][20]byte{}} }

// Len is the number of pairs.
func (p *Pins) Len() int { return len(p.byRSA) }

// Result is what is known of a pair.
type Result uint8

// The results.
const (
	NotFound Result = iota // neither identity is known
	Found                  // the pair is known
	Mismatch               // one of them is known with another partner
	Added                  // it was not known and is now
)

func (r Result) String() string { return [...]string{"not found", "found", "mismatch", "added"}[r&3] }

// Check looks a pair up: NotFound, Found or Mismatch.
func (p *Pins) Check(pin Pin) Result {
	ed, knownRSA := p.byRSA[pin.RSA]
	_, knownEd := p.byEd25519[pin.Ed25519]
	switch {
	case knownRSA && ed == pin.Ed25519:
		return Found
	case knownRSA || knownEd:
		return Mismatch
	}
	return NotFound
}

// CheckLone looks up a relay that has no Ed25519 identity: it is a Mismatch if it had one.
func (p *Pins) CheckLone(rsa [20]byte) Result {
	if _, known := p.byRSA[rsa]; known {
		return Mismatch
	}
	return NotFound
}

// Add adds a pair that is not known, and returns Added; then it belongs into the journal. With replace, which is what AuthDirPinKeys
// 0 means, a pair takes the place of those that it contradicts. Else it is Found or a Mismatch.
func (p *Pins) Add(pin Pin, replace bool) Result {
	if r := p.Check(pin); r == Found || r == Mismatch && !replace {
		return r
	}
	p.put(pin)
	return Added
}

// put adds a pair, and removes those that it contradicts.
func (p *Pins) put(pin Pin) {
	if ed, ok := p.byRSA[pin.RSA]; ok {
		delete(p.byEd25519, ed)
	}
	if rsa, ok := p.byEd25519[pin.Ed25519]; ok {
		delete(p.byRSA, rsa)
	}
	p.byRSA[pin.RSA], p.byEd25519[pin.Ed25519] = pin.Ed25519, pin.RSA
}
