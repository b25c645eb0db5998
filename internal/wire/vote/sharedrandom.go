package vote

import (
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// A SharedRandom is what a vote says of the shared random value.
//
// https://spec.torproject.org/srv-spec/
type SharedRandom struct {
	Commits           []Commit // that the authority knows, its own among them
	Previous, Current *consensus.SRV
}

// A Commit is an authority's promise of a random number, and the number once it is revealed.
type Commit struct {
	Identity  [20]byte // of the authority
	Commit    [40]byte // time of the commit, big-endian seconds, and SHA3-256 of the base64 text of Reveal
	Reveal    [40]byte // the same time and the number
	HasReveal bool
}

// What there is of the protocol.
const (
	commitVersion   = "1"
	commitAlgorithm = "sha3-256"
)

// parseCommit reads the arguments of an item; ok is false for a form that we do not know, which is to be skipped.
func parseCommit(args netdoc.Args) (c Commit, ok bool) {
	if string(args.Next()) != commitVersion || string(args.Next()) != commitAlgorithm ||
		netdoc.ParseHex(c.Identity[:], args.Next()) != nil || netdoc.ParseBase64(c.Commit[:], args.Next()) != nil {
		return c, false
	}
	if reveal := args.Next(); reveal != nil {
		c.HasReveal = true
		return c, netdoc.ParseBase64(c.Reveal[:], reveal) == nil
	}
	return c, true
}

func (s *SharedRandom) encode(e *netdoc.Encoder) {
	e.Item(kwParticipate)
	for i := range s.Commits {
		c := &s.Commits[i]
		e.Item(kwCommit, commitVersion, commitAlgorithm).Hex(c.Identity[:]).PaddedBase64(c.Commit[:])
		if c.HasReveal {
			e.PaddedBase64(c.Reveal[:])
		}
	}
	consensus.EncodeSRVs(e, s.Previous, s.Current)
}
