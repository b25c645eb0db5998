package consensus

import (
	"bytes"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
)

// Algorithm is the digest that a signature signs.
type Algorithm uint8

// The algorithms. Signatures with others are skipped.
const (
	SHA1 Algorithm = iota
	SHA256
)

// String is the name in documents.
func (a Algorithm) String() string {
	if a == SHA256 {
		return "sha256"
	}
	return "sha1"
}

// ParseAlgorithm reads the name of an algorithm; ok is false if it is neither.
func ParseAlgorithm(name []byte) (a Algorithm, ok bool) {
	switch string(name) {
	case "sha1":
		return SHA1, true
	case "sha256":
		return SHA256, true
	}
	return 0, false
}

// A Signature is one directory-signature.
type Signature struct {
	Algorithm  Algorithm
	Identity   [20]byte // of the authority
	SigningKey [20]byte // SHA-1 of the key that signed
	Signature  []byte
}

// Bytes of a signature, RSA-1024 to RSA-4096.
const (
	minSignatureLen = 128
	maxSignatureLen = 512
)

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
	if len(p.c.Signatures) == 0 {
		return ErrUnsigned
	}
	return nil
}

func (p *parser) footerItem(it *netdoc.Item, first bool) (err error) {
	switch {
	case it.Is(signatureKeyword):
		return p.signature(it)
	case p.signed != 0: // the first signature ends what is signed: anyone could have put it in
		return netdoc.ErrMisplaced
	case it.Is("r"), it.Is("directory-footer") && !first:
		return netdoc.ErrMisplaced
	case it.Is("bandwidth-weights") && p.c.Weights != nil:
		return netdoc.ErrTooMany
	case it.Is("bandwidth-weights"):
		p.c.Weights, err = params.ParseUnsorted(it.Args)
	}
	return err
}

func (p *parser) signature(it *netdoc.Item) error {
	if p.signed == 0 {
		if !bytes.HasPrefix(p.doc[it.Start:], []byte(signatureKeyword+" ")) {
			return netdoc.ErrBadValue // where does the signed part end?
		}
		p.signed = it.Start + len(signatureKeyword+" ")
	}
	if len(p.c.Signatures)+p.skipped == maxSignatures {
		return netdoc.ErrTooMany
	}
	sig, known, err := parseSignature(it)
	if err != nil {
		return err
	}
	if !known || p.c.hasSignature(&sig) {
		p.skipped++
		return nil
	}
	for i := range p.c.Sources {
		if p.c.Sources[i].Identity == sig.Identity {
			p.c.Signatures = append(p.c.Signatures, sig)
			return nil
		}
	}
	return ErrSigner
}

// hasSignature reports whether the authority has signed with this algorithm before: only the first counts.
func (c *Consensus) hasSignature(sig *Signature) bool {
	for i := range c.Signatures {
		if s := &c.Signatures[i]; s.Identity == sig.Identity && s.Algorithm == sig.Algorithm {
			return true
		}
	}
	return false
}

// parseSignature reads an item; known is false for an algorithm that is neither sha1 nor sha256.
func parseSignature(it *netdoc.Item) (sig Signature, known bool, err error) {
	args := it.Args
	if args.Len() > 2 { // without algorithm it is sha1
		if sig.Algorithm, known = ParseAlgorithm(args.Next()); !known {
			return sig, false, nil
		}
	}
	return sig, true, sig.ParseKeys(args, it.Object)
}

// ParseKeys reads what follows the algorithm, or the keyword if that is left out: who signed, with which key, and the
// signature.
func (s *Signature) ParseKeys(args netdoc.Args, o netdoc.Object) (err error) {
	if err := netdoc.ParseHex(s.Identity[:], args.Next()); err != nil {
		return err
	}
	if err := netdoc.ParseHex(s.SigningKey[:], args.Next()); err != nil {
		return err
	}
	s.Signature, err = o.Decode("SIGNATURE", minSignatureLen, maxSignatureLen)
	return err
}
