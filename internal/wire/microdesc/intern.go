package microdesc

import "github.com/tropea-net/tropea/internal/wire/exitpolicy"

// Interner shares equal texts and policies among microdescriptors. Most relays have one of a few hundred policies, and
// relays of a family all have the same text for it. A nil Interner shares nothing.
//
// It remembers what it has seen for as long as it lives: use one for each set of microdescriptors.
type Interner struct {
	texts    map[string]string
	policies map[string]exitpolicy.Summary
}

// NewInterner returns an Interner for one goroutine at a time.
func NewInterner() *Interner {
	return &Interner{texts: map[string]string{}, policies: map[string]exitpolicy.Summary{}}
}

// text returns a string that does not alias b.
func (in *Interner) text(b []byte) string {
	if in == nil || len(b) == 0 {
		return string(b)
	}
	s, ok := in.texts[string(b)] // does not allocate
	if !ok {
		s = string(b)
		in.texts[s] = s
	}
	return s
}

// policy parses a policy. One that is malformed rejects everything: that is what C tor makes of it, and the rest of the
// microdescriptor stays useful.
func (in *Interner) policy(b []byte) exitpolicy.Summary {
	if in != nil {
		if p, ok := in.policies[string(b)]; ok {
			return p
		}
	}
	p, err := exitpolicy.ParseSummary(string(b))
	if err != nil {
		p = exitpolicy.Summary{}
	}
	if in != nil {
		in.policies[string(b)] = p
	}
	return p
}
