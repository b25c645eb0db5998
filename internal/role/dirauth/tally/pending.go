package tally

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// Why signatures are not for our consensus.
var (
	ErrOtherTimes  = errors.New("signatures are for a consensus of other times")
	ErrOtherDigest = errors.New("signatures are for a consensus with another text")
	ErrNoneOfThis  = errors.New("no signatures of this flavor")
)

// A Pending is a consensus that gathers signatures.
type Pending struct {
	head    *consensus.Consensus // its header; Signatures stay empty
	body    []byte
	digests consensus.Digests
	sigs    []signature // by source, as in head.Sources
}

// A signature is one of an authority.
type signature struct {
	consensus.Signature
	state sigState
}

// sigState is what a signature is worth; the better, the higher.
type sigState uint8

const (
	none sigState = iota
	bad
	unchecked
	good
)

// Pending starts to gather signatures for one of the consensuses.
func (r *Result) Pending(f consensus.Flavor) *Pending {
	c, body := r.NS, r.NSBody
	if f == consensus.Microdesc {
		c, body = r.Microdesc, r.MicrodescBody
	}
	signed := consensus.Signed(body)
	return &Pending{
		head: c, body: body, digests: consensus.DigestsOf(signed, len(signed), true, true), sigs: make([]signature, len(c.Sources)),
	}
}

// Flavor tells which consensus it is.
func (p *Pending) Flavor() consensus.Flavor { return p.head.Flavor }

// algorithm is what signatures of the flavor sign with.
func (p *Pending) algorithm() consensus.Algorithm {
	if p.head.Flavor == consensus.NS {
		return consensus.SHA1
	}
	return consensus.SHA256
}

func (p *Pending) digest(a consensus.Algorithm) []byte {
	if a == consensus.SHA1 {
		return p.digests.SHA1[:]
	}
	return p.digests.SHA256[:]
}

// Sign adds our own signature. The identity is that of our vote, or the legacy one that the vote tells.
func (p *Pending) Sign(identity [20]byte, key *rsa.PrivateKey) error {
	i := p.source(identity)
	if i < 0 {
		return consensus.ErrSigner
	}
	sig, err := rsakey.SignRaw(key, p.digest(p.algorithm()))
	if err != nil {
		return fmt.Errorf("%v consensus: %w", p.head.Flavor, err)
	}
	p.sigs[i] = signature{consensus.Signature{
		Algorithm: p.algorithm(), Identity: identity, SigningKey: rsakey.Fingerprint(&key.PublicKey), Signature: sig,
	}, good}
	return nil
}

// source finds an authority, -1 if it did not vote.
func (p *Pending) source(identity [20]byte) int {
	return slices.IndexFunc(p.head.Sources, func(d consensus.DirSource) bool { return d.Identity == identity })
}

// Add takes over the signatures out of a document that are for this consensus, and returns how many were new. key finds
// the key in a certificate in force, nil if there is none: such signatures are kept, since the certificate may still
// come. A signature that is known to be good stays
// (networkstatus_add_detached_signatures in C tor, but that also keeps those with other algorithms than the flavor's).
//
// https://spec.torproject.org/dir-spec/exchanging-signatures.html
func (p *Pending) Add(d *detachedsig.Document, key func(consensus.KeyID) *rsa.PublicKey) (added int, err error) {
	if err := p.matches(d); err != nil {
		return 0, fmt.Errorf("%v consensus: %w", p.head.Flavor, err)
	}
	for i := range d.Signatures {
		s := &d.Signatures[i]
		if s.Flavor == p.head.Flavor && s.Algorithm == p.algorithm() && p.add(&s.Signature, key) {
			added++
		}
	}
	return added, nil
}

// matches checks that the signatures are for our text.
func (p *Pending) matches(d *detachedsig.Document) error {
	c := p.head
	if !d.ValidAfter.Equal(c.ValidAfter) || !d.FreshUntil.Equal(c.FreshUntil) || !d.ValidUntil.Equal(c.ValidUntil) {
		return ErrOtherTimes
	}
	if !slices.ContainsFunc(d.Signatures, func(s detachedsig.Signature) bool { return s.Flavor == c.Flavor }) {
		return ErrNoneOfThis
	}
	digests := 0
	for i := range d.Digests {
		g := &d.Digests[i]
		if g.Flavor != c.Flavor {
			continue
		}
		digests++
		if !bytes.Equal(g.Sum, p.digest(g.Algorithm)) {
			return ErrOtherDigest
		}
	}
	if digests == 0 {
		return ErrNoneOfThis
	}
	return nil
}

func (p *Pending) add(s *consensus.Signature, key func(consensus.KeyID) *rsa.PublicKey) bool {
	i := p.source(s.Identity)
	if i < 0 {
		return false
	}
	old := p.sigs[i].state
	if old == good {
		return false
	}
	state := unchecked
	if k := key(consensus.KeyID{Identity: s.Identity, SigningKey: s.SigningKey}); k != nil {
		state = good
		if rsakey.VerifyRaw(k, p.digest(s.Algorithm), s.Signature) != nil {
			state = bad
		}
	}
	if old == unchecked && state != good {
		return false
	}
	p.sigs[i] = signature{*s, state}
	return true
}

// Good returns how many authorities have signed it, as far as we have their certificates.
func (p *Pending) Good() (n int) {
	for i := range p.sigs {
		if p.sigs[i].state == good {
			n++
		}
	}
	return n
}

// signatures lists those that are not known to be bad, in the order of the sources.
func (p *Pending) signatures() (list []consensus.Signature) {
	for i := range p.sigs {
		if p.sigs[i].state > bad {
			list = append(list, p.sigs[i].Signature)
		}
	}
	return list
}

// AppendTo writes the consensus with the signatures that there are.
func (p *Pending) AppendTo(dst []byte) ([]byte, error) {
	c := consensus.Consensus{Signatures: p.signatures()}
	if len(c.Signatures) == 0 {
		return dst, fmt.Errorf("%v consensus: signatures: %w", p.head.Flavor, netdoc.ErrMissing)
	}
	return c.AppendSignatures(append(dst, p.body...))
}

// Detached makes the document with all signatures of the consensuses of one computation, which other authorities fetch.
func Detached(list ...*Pending) *detachedsig.Document {
	d := new(detachedsig.Document)
	for _, p := range list {
		c, alg := p.head, p.algorithm()
		d.ValidAfter, d.FreshUntil, d.ValidUntil = c.ValidAfter, c.FreshUntil, c.ValidUntil
		d.Digests = append(d.Digests, detachedsig.Digest{Flavor: c.Flavor, Algorithm: alg, Sum: p.digest(alg)})
		for _, s := range p.signatures() {
			d.Signatures = append(d.Signatures, detachedsig.Signature{Flavor: c.Flavor, Signature: s})
		}
	}
	return d
}
