package detachedsig

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// Limits of a document. Nine authorities make 12 kB.
const (
	MaxLen        = 1 << 20 // bytes
	maxSignatures = 1024    // items of each kind, those that we skip included
	maxDigests    = 256
)

// ErrDigest is the error for a digest that is none of its algorithm.
var ErrDigest = errors.New("malformed digest")

// A Document has signatures of one consensus in several flavors.
type Document struct {
	ValidAfter, FreshUntil, ValidUntil time.Time

	Digests    []Digest // one of the ns flavor, then those of others; at most one per flavor and algorithm
	Signatures []Signature
}

// A Digest is that of the signed part of a consensus.
type Digest struct {
	Flavor    consensus.Flavor
	Algorithm consensus.Algorithm
	Sum       []byte // as long as the algorithm's are
}

// A Signature is one of a consensus of some flavor.
type Signature struct {
	Flavor consensus.Flavor
	consensus.Signature
}

// The items of a document.
const (
	itemDigest = iota
	itemValidAfter
	itemFreshUntil
	itemValidUntil
	itemOtherDigest
	itemOtherSignature
	itemSignature
)

const (
	kwDigest         = "consensus-digest"
	kwOtherDigest    = "additional-digest"
	kwOtherSignature = "additional-signature"
	kwSignature      = "directory-signature"
)

var schema = netdoc.NewSchema([]netdoc.Rule{
	itemDigest:         {Keyword: kwDigest, Min: 1, Max: 1, MinArgs: 1, Place: netdoc.First},
	itemValidAfter:     {Keyword: "valid-after", Min: 1, Max: 1, MinArgs: 2},
	itemFreshUntil:     {Keyword: "fresh-until", Min: 1, Max: 1, MinArgs: 2},
	itemValidUntil:     {Keyword: "valid-until", Min: 1, Max: 1, MinArgs: 2},
	itemOtherDigest:    {Keyword: kwOtherDigest, Max: maxDigests, MinArgs: 3},
	itemOtherSignature: {Keyword: kwOtherSignature, Max: maxSignatures, MinArgs: 4, Object: netdoc.NeedObject},
	itemSignature:      {Keyword: kwSignature, Min: 1, Max: maxSignatures, MinArgs: 2, Object: netdoc.NeedObject},
}...)

// Parse reads a document. It checks no signature: for that one needs the consensus and the certificates. Flavors and
// algorithms that we do not know are skipped; of two digests or signatures for the same the first counts
// (networkstatus_parse_detached_signatures in C tor).
func Parse(doc []byte) (*Document, error) {
	if len(doc) > MaxLen {
		return nil, fmt.Errorf("detached signatures: %w", netdoc.ErrTooLong)
	}
	d := new(Document)
	if err := d.parse(doc); err != nil {
		return nil, fmt.Errorf("detached signatures: %w", err)
	}
	return d, nil
}

func (d *Document) parse(doc []byte) error {
	s := netdoc.NewScanner(doc, netdoc.Options{})
	check := schema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = d.item(rule, it)
		}
		if err != nil {
			return it.Wrap(err)
		}
	}
	if s.Err() != nil {
		return s.Err()
	}
	return check.End()
}

func (d *Document) item(rule int, it *netdoc.Item) (err error) {
	args := it.Args
	switch rule {
	case itemDigest:
		return d.addDigest(consensus.NS, consensus.SHA1, args.Next())
	case itemValidAfter:
		d.ValidAfter, err = args.Time()
	case itemFreshUntil:
		d.FreshUntil, err = args.Time()
	case itemValidUntil:
		d.ValidUntil, err = args.Time()
	case itemOtherDigest:
		if flavor, alg, known := parseKind(&args); known {
			return d.addDigest(flavor, alg, args.Next())
		}
	case itemOtherSignature:
		if flavor, alg, known := parseKind(&args); known {
			return d.addSignature(flavor, alg, args, it.Object)
		}
	case itemSignature:
		return d.addSignature(consensus.NS, consensus.SHA1, args, it.Object)
	}
	return err
}

// parseKind reads the names of a flavor and of an algorithm.
func parseKind(args *netdoc.Args) (f consensus.Flavor, a consensus.Algorithm, known bool) {
	name := string(args.Next())
	a, known = consensus.ParseAlgorithm(args.Next())
	for _, f := range []consensus.Flavor{consensus.NS, consensus.Microdesc} {
		if name == f.String() {
			return f, a, known
		}
	}
	return 0, 0, false
}

// digestLen is the length of an algorithm's digests, in bytes.
func digestLen(a consensus.Algorithm) int {
	if a == consensus.SHA256 {
		return 32
	}
	return 20
}

func (d *Document) addDigest(f consensus.Flavor, a consensus.Algorithm, text []byte) error {
	sum := make([]byte, digestLen(a))
	if netdoc.ParseHex(sum, text) != nil {
		return ErrDigest
	}
	if d.Digest(f, a) == nil {
		d.Digests = append(d.Digests, Digest{f, a, sum})
	}
	return nil
}

// Digest finds a digest, nil if there is none.
func (d *Document) Digest(f consensus.Flavor, a consensus.Algorithm) []byte {
	for i := range d.Digests {
		if g := &d.Digests[i]; g.Flavor == f && g.Algorithm == a {
			return g.Sum
		}
	}
	return nil
}

func (d *Document) addSignature(f consensus.Flavor, a consensus.Algorithm, args netdoc.Args, o netdoc.Object) error {
	sig := Signature{Flavor: f, Signature: consensus.Signature{Algorithm: a}}
	if err := sig.ParseKeys(args, o); err != nil {
		return err
	}
	twice := slices.ContainsFunc(d.Signatures, func(s Signature) bool {
		return s.Flavor == f && s.Algorithm == a && s.Identity == sig.Identity && s.SigningKey == sig.SigningKey
	})
	if !twice {
		d.Signatures = append(d.Signatures, sig)
	}
	return nil
}

// AppendTo writes the document as C tor does (networkstatus_get_detached_signatures): what belongs to the ns flavor comes
// first among the digests and last among the signatures, the rest in the order of the lists.
func (d *Document) AppendTo(dst []byte) ([]byte, error) {
	e := netdoc.NewEncoder(dst)
	sum := d.Digest(consensus.NS, consensus.SHA1)
	if sum == nil {
		return dst, fmt.Errorf("%s: %w", kwDigest, netdoc.ErrMissing)
	}
	e.Item(kwDigest).Hex(sum)
	e.Item("valid-after").Time(d.ValidAfter)
	e.Item("fresh-until").Time(d.FreshUntil)
	e.Item("valid-until").Time(d.ValidUntil)
	for i := range d.Digests {
		if g := &d.Digests[i]; g.Flavor != consensus.NS || g.Algorithm != consensus.SHA1 {
			e.Item(kwOtherDigest, g.Flavor.String(), g.Algorithm.String()).Hex(g.Sum)
		}
	}
	var main []*Signature
	for i := range d.Signatures {
		if s := &d.Signatures[i]; s.Flavor == consensus.NS && s.Algorithm == consensus.SHA1 {
			main = append(main, s)
		} else {
			e.Item(kwOtherSignature, s.Flavor.String(), s.Algorithm.String())
			s.EncodeKeys(e)
		}
	}
	for _, s := range main {
		e.Item(kwSignature)
		s.EncodeKeys(e)
	}
	return e.Bytes()
}
