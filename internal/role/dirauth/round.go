package dirauth

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// A Voter is an authority that votes.
type Voter struct {
	Nickname string
	V3Ident  [20]byte         // of its certificates
	Dirs     []netip.AddrPort // where it takes votes and signatures, and gives its own, by plain HTTP; none if it is ourselves
}

// A pendingVote is a vote of the round, and its text.
type pendingVote struct {
	*vote.Vote
	text   []byte
	digest [20]byte
}

// A round gathers votes and signatures for one consensus. Its methods are safe for concurrent use.
//
// https://spec.torproject.org/dir-spec/exchanging-votes.html
type round struct {
	log    *slog.Logger
	voters []Voter
	minLen time.Duration // of an interval; see vote.Parse

	addCert func(*authcert.Cert)
	key     func(consensus.KeyID) *rsa.PublicKey // in a certificate in force; see tally.Pending
	taken   func(*vote.Vote)                     // told of each vote that is new

	mu       sync.Mutex // guards the rest
	schedule Schedule
	votes    []*pendingVote   // for the next consensus
	previous []*pendingVote   // of the current one
	pending  []*tally.Pending // the consensuses of both flavors, once computed
	queued   [][]byte         // signatures that came before them
}

// maxQueued bounds the signatures that wait for the consensus, of each authority one document and a second one.
const maxQueued = 2 * 32

// answer is what somebody is told who has brought a document: a status of HTTP and a few words.
type answer struct {
	status int
	text   string
}

func refuse(text string) answer { return answer{400, text} }

// Where a vote came from.
const (
	fromPost  = true  // its author has brought it: it must be in time
	fromFetch = false // we have fetched it, or made it
)

// addVotes takes the votes of a document, which has them one behind the other, and tells what has become of them
// (dirvote_add_vote in C tor). now is when they came.
func (r *round) addVotes(doc []byte, posted bool, from string, now time.Time) answer {
	a, any, failed := answer{status: 200}, false, false
	for text := range vote.Split(doc) {
		switch one := r.addVote(text, posted, from, now); {
		case one.status != 200:
			a, failed = one, true
		case !failed:
			a = one
		}
		any = true
	}
	if !any {
		return refuse("Unable to parse vote")
	}
	return a
}

func (r *round) addVote(text []byte, posted bool, from string, now time.Time) answer {
	v, err := vote.Parse(text, r.minLen)
	if err != nil {
		r.log.Warn("A vote cannot be read", "from", from, "err", err)
		return refuse("Unable to parse vote")
	}
	who := v.Source.Nickname
	if !slices.ContainsFunc(r.voters, func(o Voter) bool { return o.V3Ident == v.Cert.Fingerprint }) {
		r.log.Warn("A vote is from an authority that we do not know", "nickname", who, "v3ident", fmt.Sprintf("%X", v.Cert.Fingerprint), "from", from)
		return refuse("Vote not from a recognized v3 authority")
	}
	r.addCert(v.Cert)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !v.ValidAfter.Equal(r.schedule.ValidAfter) {
		r.log.Warn("A vote is for another time", "nickname", who, "valid-after", v.ValidAfter, "want", r.schedule.ValidAfter, "from", from)
		return refuse("Bad valid-after time")
	}
	// Others fetch from now on what they do not have. One that only some of us have would split the consensus.
	if posted && now.After(r.schedule.FetchVotes) {
		r.log.Warn("A vote comes too late: check the clocks, and how busy both authorities and their networks are",
			"nickname", who, "late", now.Sub(r.schedule.FetchVotes).Round(time.Second), "from", from)
		return refuse("Posted vote received too late, would be dangerous to count it")
	}
	p := &pendingVote{v, text, v.Source.VoteDigest}
	i := slices.IndexFunc(r.votes, func(o *pendingVote) bool { return o.Cert.Fingerprint == v.Cert.Fingerprint })
	switch {
	case i < 0:
		r.votes = append(r.votes, p)
		r.taken(v)
		safelog.Notice(r.log, "A vote has come", "nickname", who, "relays", len(v.Relays), "posted", posted, "from", from)
		return answer{200, "Vote stored"}
	case r.votes[i].digest == p.digest:
		return answer{200, "Duplicate discarded"}
	case r.votes[i].Published.Before(v.Published):
		safelog.Notice(r.log, "A vote replaces an older one of the same authority", "nickname", who)
		r.votes[i] = p
		return answer{200, "Vote stored"}
	}
	return refuse("Already have a newer pending vote")
}

// missing lists the authorities whose votes have not come.
func (r *round) missing() (list []Voter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.voters {
		if !slices.ContainsFunc(r.votes, func(p *pendingVote) bool { return p.Cert.Fingerprint == v.V3Ident }) {
			list = append(list, v)
		}
	}
	return list
}

// voteTexts finds votes of the next consensus, or of the one that is out: those of authorities, by their v3 identities.
func (r *round) voteTexts(next bool, ids ...[20]byte) (texts [][]byte) {
	return r.texts(next, !next, func(p *pendingVote) bool { return slices.Contains(ids, p.Cert.Fingerprint) })
}

// allVotes are the texts of the votes for the next consensus, one behind the other.
func (r *round) allVotes() []byte {
	return bytes.Join(r.texts(true, false, func(*pendingVote) bool { return true }), nil)
}

// votesByDigest finds votes by the SHA-1 of their signed parts.
func (r *round) votesByDigest(digests ...[20]byte) (texts [][]byte) {
	return r.texts(true, true, func(p *pendingVote) bool { return slices.Contains(digests, p.digest) })
}

func (r *round) texts(next, previous bool, want func(*pendingVote) bool) (texts [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*pendingVote
	if next {
		list = append(list, r.votes...)
	}
	if previous {
		list = append(list, r.previous...)
	}
	for _, p := range list {
		if want(p) {
			texts = append(texts, p.text)
		}
	}
	return texts
}

// signer signs consensuses in the name of an authority.
type signer struct {
	identity [20]byte
	key      *rsa.PrivateKey
}

// compute makes the consensuses of both flavors out of the votes, signs them, and returns the signatures for the others.
func (r *round) compute(cfg tally.Config, signers []signer) (*tally.Result, []byte, error) {
	r.mu.Lock()
	votes := make([]*vote.Vote, len(r.votes))
	for i, p := range r.votes {
		votes[i] = p.Vote
	}
	r.mu.Unlock()
	res, err := tally.Compute(votes, cfg) // it takes a while: votes may be asked for meanwhile
	if err != nil {
		return nil, nil, err
	}
	var pending []*tally.Pending
	for _, f := range []consensus.Flavor{consensus.NS, consensus.Microdesc} {
		p := res.Pending(f)
		for _, s := range signers {
			if err := p.Sign(s.identity, s.key); err != nil {
				return nil, nil, err
			}
		}
		pending = append(pending, p)
	}
	own, err := tally.Detached(pending...).AppendTo(nil)
	if err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = pending
	for _, doc := range r.queued {
		if a := r.addSignaturesLocked(doc, "before our consensus"); a.status != 200 {
			r.log.Warn("Signatures that came before our consensus are of no use", "reason", a.text)
		}
	}
	r.queued = nil
	return res, own, nil
}

// addSignatures takes signatures that others have made (dirvote_add_signatures in C tor).
func (r *round) addSignatures(doc []byte, from string) answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending != nil {
		return r.addSignaturesLocked(doc, from)
	}
	if len(r.queued) == maxQueued {
		return refuse("Too many signatures wait for the consensus")
	}
	if _, err := detachedsig.Parse(doc); err != nil {
		return refuse("Couldn't parse detached signatures.")
	}
	r.queued = append(r.queued, doc)
	return answer{200, "Signature queued"}
}

func (r *round) addSignaturesLocked(doc []byte, from string) answer {
	d, err := detachedsig.Parse(doc)
	if err != nil {
		r.log.Warn("Signatures cannot be read", "from", from, "err", err)
		return refuse("Couldn't parse detached signatures.")
	}
	added := 0
	var errs error
	for _, p := range r.pending {
		n, err := p.Add(d, r.key)
		added += n
		errs = errors.Join(errs, err)
	}
	switch {
	case added > 0:
		safelog.Notice(r.log, "Signatures have come", "count", added, "from", from)
		return answer{200, "Signatures added"}
	case errs != nil:
		r.log.Warn("Signatures are not for our consensus", "from", from, "err", errs)
		return refuse("Signatures are for another consensus than ours")
	}
	return answer{200, "Signatures ignored"}
}

// signatures returns the document with all signatures of the next consensus; nil if there is none yet.
func (r *round) signatures() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		return nil
	}
	doc, err := tally.Detached(r.pending...).AppendTo(nil)
	if err != nil {
		r.log.Error("Signatures cannot be written", "err", err)
	}
	return doc
}

// consensus returns the next consensus of a flavor as far as it is signed; nil if there is none yet.
func (r *round) consensus(f consensus.Flavor) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pending {
		if p.Flavor() == f {
			doc, err := p.AppendTo(nil)
			if err != nil {
				r.log.Error("The consensus cannot be written", "err", err)
			}
			return doc
		}
	}
	return nil
}

// next ends the round: its votes are those of the current consensus from now on.
func (r *round) next(s Schedule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.previous, r.votes, r.pending, r.queued = r.votes, nil, nil, nil
	r.schedule = s
}

// times are those of the round.
func (r *round) times() Schedule {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.schedule
}

// complete tells whether there is nothing more to be had: there is no consensus, or everybody has signed both flavors.
func (r *round) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pending {
		if p.Good() < len(r.voters) {
			return false
		}
	}
	return true
}

// reschedule changes the times of the round. If it is about another consensus now, what has come is of no use.
func (r *round) reschedule(s Schedule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !s.ValidAfter.Equal(r.schedule.ValidAfter) {
		r.votes, r.pending, r.queued = nil, nil, nil
	}
	r.schedule = s
}

// ids lists identities as paths have them.
func ids(list []Voter) (text []string) {
	for _, v := range list {
		text = append(text, hex.EncodeToString(v.V3Ident[:]))
	}
	return text
}
