package vote

import (
	"bytes"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/srstate"
)

// A SharedRandom is what a vote says of the shared random value.
//
// https://spec.torproject.org/srv-spec/specification.html
type SharedRandom struct {
	Commits           []srstate.Commit // that the authority knows, its own among them
	Reveal            bool             // the lines of the commits have place for reveals
	Previous, Current *consensus.SRV   // nil if the authority has none
}

// addCommit reads the arguments of an item. Forms that we do not know are skipped, as in C tor.
func (s *SharedRandom) addCommit(args netdoc.Args) {
	if c, err := srstate.ParseCommit(string(args)); err == nil {
		s.Commits = append(s.Commits, c)
		s.Reveal = s.Reveal || c.Reveal != "" || bytes.HasSuffix(args, []byte(" "))
	}
}

// Encode writes the items, if s is not nil.
func (s *SharedRandom) Encode(e *netdoc.Encoder) {
	if s == nil {
		return
	}
	e.Item(kwParticipate)
	for _, c := range s.Commits {
		e.Item(kwCommit).Rest(c.Args())
		if s.Reveal {
			e.Rest(c.Reveal)
		}
	}
	consensus.EncodeSRVs(e, s.Previous, s.Current)
}
