package srv

import (
	"bytes"
	"crypto/sha3"
	"encoding/binary"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/srstate"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// Compute is the shared random value of the commits that have a reveal, in any order. previous is that of the run before,
// nil if there was none.
// https://spec.torproject.org/srv-spec/specification.html
func Compute(commits []srstate.Commit, previous *consensus.SRV) consensus.SRV {
	var v consensus.SRV
	var reveals []byte
	for _, c := range slices.SortedStableFunc(slices.Values(commits), func(a, b srstate.Commit) int {
		x, y := a.Hash(), b.Hash()
		return bytes.Compare(x[:], y[:])
	}) {
		if c.Reveal != "" {
			reveals = append(netdoc.AppendHex(reveals, c.Authority[:]), c.Reveal...)
			v.Reveals++
		}
	}
	hashed := sha3.Sum256(reveals)
	text := binary.BigEndian.AppendUint64([]byte("shared-random"), v.Reveals)
	text = binary.BigEndian.AppendUint32(text, srstate.Version)
	text = append(text, hashed[:]...)
	if previous == nil {
		previous = new(consensus.SRV)
	}
	v.Value = sha3.Sum256(append(text, previous.Value[:]...))
	return v
}

// Agreed are the values for a consensus of the votes, nil where there is none or we take no part. It is Agree for what we
// know: pass it to package tally.
func (s *State) Agreed(votes []*vote.SharedRandom, authorities, agreements int) (previous, current *consensus.SRV) {
	if !s.cfg.Participate {
		return nil, nil
	}
	return Agree(votes, authorities, agreements, s.fresh)
}

// Agree finds the values that enough votes have. A value needs the votes of more than half of all authorities of the
// network, and a fresh one those of agreements (parameter AuthDirNumSRVAgreements, or two thirds of the authorities,
// rounded down) as well. Votes come in the order of their authorities; nil is one that takes no part.
// https://spec.torproject.org/srv-spec/specification.html
func Agree(votes []*vote.SharedRandom, authorities, agreements int, fresh bool) (previous, current *consensus.SRV) {
	need := authorities/2 + 1
	if fresh {
		need = max(need, agreements)
	}
	return mostVoted(votes, need, func(v *vote.SharedRandom) *consensus.SRV { return v.Previous }),
		mostVoted(votes, need, func(v *vote.SharedRandom) *consensus.SRV { return v.Current })
}

// mostVoted finds the value with at least need votes, which are more than half.
func mostVoted(votes []*vote.SharedRandom, need int, value func(*vote.SharedRandom) *consensus.SRV) *consensus.SRV {
	count := map[[32]byte]int{}
	first := map[[32]byte]*consensus.SRV{}
	for _, vote := range votes {
		if vote == nil {
			continue
		}
		v := value(vote)
		if v == nil {
			continue
		}
		if first[v.Value] == nil {
			first[v.Value] = v
		}
		count[v.Value]++
		if count[v.Value] >= need {
			return first[v.Value]
		}
	}
	return nil
}
