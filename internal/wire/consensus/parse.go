package consensus

import (
	"fmt"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// A parser is what the parts of one Parse share.
type parser struct {
	c    *Consensus
	doc  []byte
	s    *netdoc.Scanner
	more bool // the scanner has an item

	// What lines mean: there are some hundred different ones in thousands of entries.
	flagBits  map[string]Flags // by flag
	flagLines map[string]Flags // by s line
	in        Interner

	signed  int // length of the signed part
	skipped int // signatures that we do not understand
}

// Parse reads a whole consensus and computes its digests. It checks everything but the signatures.
func Parse(doc []byte) (*Consensus, error) {
	if len(doc) > MaxLen {
		return nil, fmt.Errorf("consensus: %w", netdoc.ErrTooLong)
	}
	p := parser{
		c: new(Consensus), doc: doc, s: netdoc.NewScanner(doc, netdoc.Options{}),
		flagBits: map[string]Flags{}, flagLines: map[string]Flags{}, in: NewInterner(),
	}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	signedBy := func(a Algorithm) bool {
		return slices.ContainsFunc(p.c.Signatures, func(s Signature) bool { return s.Algorithm == a })
	}
	p.c.Digests = DigestsOf(doc, p.signed, signedBy(SHA1), signedBy(SHA256))
	return p.c, nil
}

func (p *parser) parse() error {
	p.next()
	if err := p.parseHeader(); err != nil {
		return err
	}
	// Entries of today have some 330 bytes, those of the ns flavor more. The bound keeps memory in proportion to the text.
	p.c.Relays = make([]RouterStatus, 0, (len(p.doc)-p.s.Offset())/320+1)
	for p.more && p.s.Item().Is("r") {
		if err := p.parseRelay(); err != nil {
			return err
		}
	}
	return p.parseFooter()
}

// next moves to the next item.
func (p *parser) next() { p.more = p.s.Next() }

// flagsOf returns the meaning of an s line. Flags that are not in known-flags are ignored.
func (p *parser) flagsOf(args netdoc.Args) Flags {
	f, ok := p.flagLines[string(args)]
	if ok {
		return f
	}
	line := string(args)
	for arg := args.Next(); arg != nil; arg = args.Next() {
		f |= p.flagBits[string(arg)]
	}
	p.flagLines[line] = f
	return f
}
