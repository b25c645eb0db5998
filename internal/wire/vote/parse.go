package vote

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// A parser is what the parts of one Parse share.
type parser struct {
	v    *Vote
	doc  []byte
	s    *netdoc.Scanner
	more bool // the scanner has an item

	random    SharedRandom // to be kept if the authority takes part
	certStart int          // of the certificate; 0 before it
	flagBits  map[string]Flags
	flagLines map[string]Flags // by s line
	in        consensus.Interner
	edIDs     map[[32]byte]struct{}

	weights   bool // bandwidth-weights has been seen
	signature []byte
}

// Parse reads one vote and checks everything, the signature too, but whether the authority is a known one and its
// certificate in force. minInterval is MinInterval or MinIntervalTesting.
func Parse(doc []byte, minInterval time.Duration) (*Vote, error) {
	if len(doc) > MaxLen {
		return nil, fmt.Errorf("vote: %w", netdoc.ErrTooLong)
	}
	p := newParser(doc)
	err := p.parse(minInterval)
	if err == nil {
		err = p.verify()
	}
	if err != nil {
		return nil, fmt.Errorf("vote: %w", err)
	}
	return p.v, nil
}

func newParser(doc []byte) *parser {
	return &parser{
		v: new(Vote), doc: doc, s: netdoc.NewScanner(doc, netdoc.Options{}), flagBits: map[string]Flags{},
		flagLines: map[string]Flags{}, in: consensus.NewInterner(), edIDs: map[[32]byte]struct{}{},
	}
}

func (p *parser) parse(minInterval time.Duration) error {
	if !bytes.HasPrefix(p.doc, []byte(kwVersion)) {
		return ErrNoVote // a blank line would be allowed in a document, but nobody signs one
	}
	p.next()
	if err := p.parseHeader(); err != nil {
		return err
	}
	if err := p.v.checkTimes(minInterval); err != nil {
		return err
	}
	// Entries have some 600 bytes.
	p.v.Relays = make([]Relay, 0, (len(p.doc)-p.s.Offset())/600+1)
	for p.more && p.s.Item().Is("r") {
		if err := p.parseRelay(); err != nil {
			return err
		}
	}
	return p.parseFooter()
}

// next moves to the next item.
func (p *parser) next() { p.more = p.s.Next() }

// endsPart tells the items before which the header or an entry ends.
func endsPart(it *netdoc.Item) bool {
	return it.Is("r") || it.Is(kwFooter) || it.Is(kwSignature)
}

// parseFooter reads from the first item after the entries to the end.
func (p *parser) parseFooter() error {
	for first := true; p.more; p.next() {
		it := p.s.Item()
		if err := p.footerItem(it, first); err != nil {
			return it.Wrap(err)
		}
		first = false
	}
	if p.s.Err() != nil {
		return p.s.Err()
	}
	if p.signature == nil {
		return &netdoc.Error{Keyword: kwSignature, Err: netdoc.ErrMissing}
	}
	return nil
}

func (p *parser) footerItem(it *netdoc.Item, first bool) error {
	switch {
	case it.Is(kwSignature) && p.signature != nil:
		return netdoc.ErrTooMany
	case it.Is(kwSignature):
		return p.parseSignature(it)
	case p.signature != nil, it.Is("r"), it.Is(kwFooter) && !first:
		return netdoc.ErrMisplaced
	case it.Is(kwFooter) && it.Args.Len() > 0, it.Is("bandwidth-weights") && p.weights:
		return netdoc.ErrTooMany
	case it.Is("bandwidth-weights"): // tells nothing, but C tor looks at it
		p.weights = true
		_, err := params.ParseUnsorted(it.Args)
		return err
	}
	return nil
}

// parseSignature reads the one signature. Votes are signed with SHA-1, whatever an algorithm before the identity says.
func (p *parser) parseSignature(it *netdoc.Item) error {
	if !bytes.HasPrefix(p.doc[it.Start:], []byte(kwSignature+" ")) {
		return netdoc.ErrBadValue // where does the signed part end?
	}
	var sig consensus.Signature
	args := it.Args
	if args.Len() > 2 {
		if _, known := consensus.ParseAlgorithm(args.Next()); !known {
			return fmt.Errorf("algorithm: %w", netdoc.ErrBadValue)
		}
	}
	if err := sig.ParseKeys(args, it.Object); err != nil {
		return err
	}
	if sig.Identity != p.v.Cert.Fingerprint {
		return ErrIdentity
	}
	p.signature = sig.Signature
	p.v.Source.VoteDigest = sha1.Sum(p.doc[:it.Start+len(kwSignature+" ")])
	return nil
}

// verify checks the signature. The certificate has been checked when it was parsed.
func (p *parser) verify() error {
	return rsakey.VerifyRaw(p.v.Cert.Signing, p.v.Source.VoteDigest[:], p.signature)
}
